"""A participant's own window: begin."""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.events import Event, outcome_of
from actors.domain.messages import Begin
from actors.domain.tournament import Tournament


def begin(state: Tournament, offset: int, message: Begin, user_id: int) -> list[Event]:
    """The window of one who takes part begins, once: again changes nothing."""
    reason, detail = _problem(state, user_id)
    slot, began = state.members.slot(user_id), state.members.began_ms
    first = not reason and slot not in began
    if first:
        began[slot] = state.time_ms
    return [outcome_of(offset, message, reason, detail, user_id=user_id, first=first)]


def _problem(state: Tournament, user_id: int) -> tuple[str, str]:
    if state.spec.window_ms is UNSET:
        return "no_window", "the participants of this tournament have no windows of their own"
    if state.members.slot(user_id) < 0:
        return "participant_unknown", f"user {user_id} does not take part"
    if state.status != "running":
        return "not_running", f"cannot begin in a tournament that is {state.status}"
    return "", ""
