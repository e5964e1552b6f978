"""Reopen: undo a mistaken end or cancel. Reveal: show the table that stands still."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import UNSET

from actors.domain.events import Event, StatusChanged, outcome_of
from actors.domain.life.ends import end_reason
from actors.domain.life.status import pass_time
from actors.domain.life.transitions import Command, next_status
from actors.domain.messages import Reopen, Reveal
from actors.domain.tournament import Tournament


def reopen(state: Tournament, offset: int, message: Reopen, _user_id: int) -> list[Event]:
    """Running again until the new end, or scheduled again where it was cancelled before its start.

    What counted before counts on and is known by its event id; what was ignored since the end stays ignored. A frozen table that was
    shown at the end is frozen anew before the new one.
    """
    started = state.status == "finished" or state.cut_short
    reason, detail = _problem(state, message, started=started)
    if reason:
        return [outcome_of(offset, message, reason, detail)]
    before, shown = state.status, state.status == "finished"
    command: Command = "reopen" if started else "restore"
    state.status = next_status(before, command)
    if message.ends_ms is not UNSET:
        state.spec = msgspec.structs.replace(state.spec, ends_ms=message.ends_ms)
    state.finished_ms, state.cut_short = None, False
    state.dedicated = (
        False  # its own scope was closed at the end: from now on it lives with the others of its partition
    )
    state.seen = dict.fromkeys(np.frombuffer(state.ended, np.uint64).tolist())
    state.ended = b""
    if shown:
        state.frozen, state.revealed = None, False
    changed = StatusChanged(offset, before, state.status, state.time_ms, "command")
    return [outcome_of(offset, message, first=True), changed, *pass_time(state, offset, state.time_ms)]


def _problem(state: Tournament, message: Reopen, *, started: bool) -> tuple[str, str]:
    spec, ends_ms = state.spec, message.ends_ms
    if not state.over:
        return "not_over", f"cannot reopen a tournament that is {state.status}"
    if state.settled:
        return "prizes_approved", "the prizes are approved: the result stands"
    if started and ends_ms is UNSET:
        return "invalid", "ends_at: expected the new end"
    if not started and spec.starts_ms is None and ends_ms is not UNSET:  # instant, or a series
        return "invalid", "ends_at: not a field of a tournament without times of its own"
    if ends_ms is not UNSET and ends_ms <= max(state.time_ms, spec.starts_ms or 0):
        return "invalid", "ends_at: expected an end after the start and in the future"
    if not started and spec.ends_ms is not None and ends_ms is UNSET and spec.ends_ms <= state.time_ms:
        return "invalid", "ends_at: expected a new end, the old one has passed"
    due = not started and spec.starts_ms is not None and spec.starts_ms <= state.time_ms
    if due and state.members.joined < spec.min_participants:
        detail = f"it would start at once: expected at least {spec.min_participants} participants"
        return "too_few_participants", f"{detail}, got {state.members.joined}"
    if started and (reached := _reached(state)):
        return "goal_reached", f"it would end at once: {reached}"
    return "", ""


def _reached(state: Tournament) -> str:
    before, state.status = state.status, "running"
    try:
        return end_reason(state)
    finally:
        state.status = before


def reveal(state: Tournament, offset: int, message: Reveal, _user_id: int) -> list[Event]:
    """The table is shown as it is, and is not frozen again."""
    if state.frozen is None or state.status == "finished":
        return [outcome_of(offset, message, "not_frozen", "the table does not stand still")]
    state.frozen, state.revealed = None, True
    return [outcome_of(offset, message, first=True)]
