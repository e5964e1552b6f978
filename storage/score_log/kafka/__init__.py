"""The score log on Kafka."""
