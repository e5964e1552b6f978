"""Calls about a user, whatever tournaments they are in."""
