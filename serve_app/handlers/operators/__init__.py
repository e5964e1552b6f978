"""The calls that are for operators alone: what runs where, how servers are, what could not be applied, who ordered what."""
