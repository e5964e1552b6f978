"""Tournaments that open others: series by a schedule, cohorts by their fullness, leagues by final tables."""
