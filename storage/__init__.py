"""Implementations of the ports, one file each; `storage.base` declares the ports."""
