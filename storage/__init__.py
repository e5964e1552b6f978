"""Implementations of the ports that `storage.base` declares."""
