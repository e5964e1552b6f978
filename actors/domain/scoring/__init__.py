"""What a submission comes to: its score under a tournament's rules."""
