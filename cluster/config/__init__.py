"""Settings, secrets and tokens."""
