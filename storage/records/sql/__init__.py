"""Records on one SQL database, the same code for SQLite and MySQL."""
