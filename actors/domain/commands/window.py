"""A participant's own time: begin, done, extra time."""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.events import Event, outcome_of
from actors.domain.messages import Begin, Done, ExtraTime
from actors.domain.series.placing import elsewhere
from actors.domain.tournament import Tournament


def begin(state: Tournament, offset: int, message: Begin, user_id: int) -> list[Event]:
    """The window of one who takes part begins, once: again changes nothing."""
    slot, began = state.members.slot(user_id), state.members.began_ms
    if state.spec.window_ms is UNSET:
        reason, detail = "no_window", "the participants of this tournament have no windows of their own"
    else:
        reason, detail = _problem(state, user_id, message.kind)
    if not reason and slot not in began and state.in_extra_time:
        reason, detail = "not_running", "the end has passed: nobody begins any more"
    first = not reason and slot not in began
    if first:
        began[slot] = state.time_ms
    return [outcome_of(offset, message, reason, detail, user_id=user_id, first=first)]


def done(state: Tournament, offset: int, message: Done, user_id: int) -> list[Event]:
    """One who takes part will send no more scores: later ones are ignored. Again changes nothing."""
    slot, members = state.members.slot(user_id), state.members
    reason, detail = _problem(state, user_id, "be done")
    first = not reason and slot not in members.done_ms
    if first:
        members.set_done(slot, state.time_ms)
    return [outcome_of(offset, message, reason, detail, user_id=user_id, first=first)]


def extra_time(state: Tournament, offset: int, message: ExtraTime, user_id: int) -> list[Event]:
    """One who takes part has so much more time; what has passed for all is not undone by it."""
    members = state.members
    slot, before = members.slot(user_id), members.extra_ms
    if state.over:
        reason, detail = "already_over", f"cannot give time in a tournament that is {state.status}"
    elif slot < 0:
        reason, detail = "participant_unknown", f"user {user_id} does not take part"
    else:
        reason, detail = elsewhere(state, slot)
    first = not reason and before.get(slot, 0) != message.extra_ms
    if first and message.extra_ms:
        before[slot] = message.extra_ms
    elif first:
        del before[slot]
    return [outcome_of(offset, message, reason, detail, user_id=user_id, first=first)]


def _problem(state: Tournament, user_id: int, what: str) -> tuple[str, str]:
    slot = state.members.slot(user_id)
    if slot < 0:
        return "participant_unknown", f"user {user_id} does not take part"
    if state.status != "running":
        return "not_running", f"cannot {what} in a tournament that is {state.status}"
    return elsewhere(state, slot)
