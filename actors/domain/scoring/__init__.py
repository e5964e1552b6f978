"""What a submission comes to: kinds of scoring, each a pure function of its spec and a result, and its score under a tournament's rules."""
