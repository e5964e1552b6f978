"""What the fold tells: the outcome of a record, and how the status moved."""

from __future__ import annotations

from typing import Final, NamedTuple

from actors.domain.delivery import ScoreItem
from actors.domain.life.transitions import Status
from actors.domain.messages import Command

APPLIED: Final = "applied"
IGNORED: Final = "ignored"
REFUSED: Final = "refused"


class Outcome(NamedTuple):
    """What became of one record. `outcome` is `applied`, `ignored` (a score) or `refused` (a command), with the reason.

    `first` tells a first join or create from a repeat. `event_id` is the score's event id or the command id.
    """

    offset: int
    kind: str
    outcome: str
    reason: str = ""
    detail: str = ""
    user_id: int = 0
    event_id: str = ""
    first: bool = False


class StatusChanged(NamedTuple):
    """The status moved at `time_ms` (the log's time) with the record at `offset`."""

    offset: int
    before: Status
    after: Status
    time_ms: int
    reason: str


class TableFrozen(NamedTuple):
    """From `time_ms` on (the log's time) the public table stands still, with the record at `offset`."""

    offset: int
    time_ms: int


Event = Outcome | StatusChanged | TableFrozen


def score_outcome(item: ScoreItem, reason: str, detail: str = "") -> Outcome:
    """The outcome of a score by the reason of its verdict."""
    return Outcome(item.offset, "score", IGNORED if reason else APPLIED, reason, detail, item.user_id, item.event_id)


def outcome_of(
    offset: int, command: Command, reason: str = "", detail: str = "", *, user_id: int = 0, first: bool = False
) -> Outcome:
    """The outcome of a command: refused where there is a reason, else applied."""
    outcome = REFUSED if reason else APPLIED
    return Outcome(offset, command.kind, outcome, reason, detail, user_id, command.command_id, first)
