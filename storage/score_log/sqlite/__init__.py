"""The score log in an SQLite file."""
