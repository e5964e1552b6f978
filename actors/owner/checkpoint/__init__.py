"""What of an owner becomes durable: snapshots, rows, effects, in transactions that never run ahead of the log."""
