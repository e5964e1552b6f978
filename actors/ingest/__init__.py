"""Ingest: reads partitions of the score log and feeds every owner from its own watermark."""
