"""Implementations of the ports that `storage.ports` declares."""
