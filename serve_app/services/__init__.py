"""What the handlers work with: reads, appends, outcomes."""
