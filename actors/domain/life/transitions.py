"""The life of a tournament as a table: status and command give the next status; what is not listed is illegal."""

from __future__ import annotations

from typing import Final, Literal

from actors.domain.errors import IllegalTransitionError

Status = Literal["scheduled", "running", "finished", "cancelled"]
Command = Literal["start", "end", "cancel", "abandon", "reopen", "restore"]

SCHEDULED: Final = "scheduled"
RUNNING: Final = "running"

TRANSITIONS: Final[dict[tuple[Status, Command], Status]] = {
    ("scheduled", "start"): "running",
    ("scheduled", "abandon"): "cancelled",  # the start came and too few had joined
    ("scheduled", "cancel"): "cancelled",
    ("running", "end"): "finished",
    ("running", "cancel"): "cancelled",
    ("finished", "reopen"): "running",
    ("cancelled", "reopen"): "running",
    ("cancelled", "restore"): "scheduled",  # cancelled before its start
}

REFUSAL: Final[dict[Command, str]] = {
    "start": "not_scheduled",
    "end": "not_running",
    "cancel": "already_over",
    "abandon": "not_scheduled",
    "reopen": "not_over",
    "restore": "not_over",
}


def next_status(status: Status, command: Command) -> Status:
    """The status after a command. Raises IllegalTransitionError naming both."""
    try:
        return TRANSITIONS[status, command]
    except KeyError:
        raise IllegalTransitionError(status, command) from None
