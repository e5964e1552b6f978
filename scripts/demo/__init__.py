"""The demo: real results through the public API."""
