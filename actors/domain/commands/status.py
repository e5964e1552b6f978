"""Start, end and cancel."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from actors.domain.errors import IllegalTransitionError
from actors.domain.events import Event, outcome_of
from actors.domain.life.status import move
from actors.domain.life.transitions import REFUSAL, Command
from actors.domain.messages import Cancel, End, Start
from actors.domain.tournament import Tournament

_NOT_OF_PARENTS: Final = {"a series": ("start", "end"), "instant cohorts": ("start",)}


def _kind(state: Tournament) -> str:
    """What kind of parent it is, empty for none."""
    if state.spec.recurrence is not UNSET:
        return "a series"
    return "instant cohorts" if state.spec.cohorts is not UNSET and state.spec.type == "instant" else ""


def change_status(state: Tournament, offset: int, message: Start | End | Cancel, _user_id: int) -> list[Event]:
    """Move the status as ordered, where it may."""
    command: Command = message.kind  # type: ignore[assignment]  # the message's tag is the command's name
    joined, needed = state.members.joined, state.spec.min_participants
    if command in _NOT_OF_PARENTS.get(_kind(state), ()):
        detail = f"cannot {command} {_kind(state)}: its tournaments {command} by themselves"
        return [outcome_of(offset, message, "refused", detail)]
    if command == "start" and state.status == "scheduled" and joined < needed:
        detail = f"expected at least {needed} participants, got {joined}"
        return [outcome_of(offset, message, "too_few_participants", detail)]
    try:
        changed = move(state, command, state.time_ms, "command")
    except IllegalTransitionError as error:
        return [outcome_of(offset, message, REFUSAL[command], str(error))]
    return [outcome_of(offset, message, first=True), changed]
