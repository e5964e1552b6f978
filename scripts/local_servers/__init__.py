"""Real servers on loopback for tests, benchmarks and `scripts/run --cluster`."""
