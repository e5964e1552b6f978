"""What readers are shown while an owner does not answer: Redis, then snapshots."""
