"""The score log: SQLite embedded, Kafka on servers."""
