"""The owner of tournaments: applies what ingest delivers, publishes, checkpoints, answers reads."""
