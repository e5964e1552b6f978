"""The pure core: messages, ranking, the fold of a tournament, its codec. No I/O, no clock, no randomness."""
