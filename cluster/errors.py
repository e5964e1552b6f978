"""Errors of starting: each becomes one clear line in the terminal and a non-zero exit status."""

from __future__ import annotations


class StartError(Exception):
    """Palio cannot start: a port or the data directory is in use, the data is newer, the disk refuses, ... The message says which."""


class SettingsError(StartError):
    """A setting is unknown or ill-typed; the message names the variable, what was expected and what was given (never a secret)."""
