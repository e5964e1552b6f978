"""Series of metrics: InfluxDB, or Parquet files."""
