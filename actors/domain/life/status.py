"""The status, moved by time and by commands."""

from __future__ import annotations

import msgspec

from actors.domain.delivery import Item
from actors.domain.events import Event, StatusChanged, TableFrozen
from actors.domain.life.ends import end_reason
from actors.domain.life.freeze import freeze
from actors.domain.life.transitions import Command, next_status
from actors.domain.life.windows import latest_close
from actors.domain.tournament import Tournament, sorted_digests


def advance(state: Tournament, item: Item) -> list[Event]:
    """Move time and status on to a record that is beyond the state's offset: rule 2.

    What meets a tournament that is over leaves it untouched, to the byte: its last snapshot stays the truth.
    """
    over = state.status in ("finished", "cancelled")  # as Tournament.over: each score comes by here
    return [] if over else pass_time(state, item.offset, item.time_ms)


def pass_time(state: Tournament, offset: int, time_ms: int) -> list[Event]:
    """Take a record's offset and time, and move the status on to that time: rule 2."""
    state.offset = offset
    state.time_ms = max(state.time_ms, time_ms)
    due = state.due_ms
    if due is None or due > state.time_ms:
        return []
    events: list[Event] = []
    if state.status == "scheduled":
        if state.members.joined < state.spec.min_participants:
            events.append(move(state, "abandon", due, "too_few_participants"))
        else:
            events.append(move(state, "start", due, "starts_at"))
    due = state.due_ms
    if state.status == "running" and due is not None and due <= state.time_ms:
        if state.freezes:
            freeze(state)
            events.append(TableFrozen(offset, due))
            due = state.due_ms
        if due is not None and due <= state.time_ms:
            events.append(move(state, "end", due, "ends_at"))
    return events


def settle(state: Tournament) -> list[Event]:
    """What follows from a record besides time: the end, where it has come before its time, or where nobody with extra time is left."""
    if state.status != "running":
        return []
    if state.late_ms or state.members.extra_ms:
        was_late, state.late_ms = state.late_ms > 0, latest_close(state)
        if was_late and max(state.spec.ends_ms or 0, state.late_ms) <= state.time_ms:
            return [move(state, "end", state.time_ms, "ends_at")]
    reason = end_reason(state)
    return [move(state, "end", state.time_ms, reason)] if reason else []


def move(state: Tournament, command: Command, time_ms: int, reason: str) -> StatusChanged:
    """Move the status as of `time_ms`. Raises IllegalTransitionError."""
    before = state.status
    state.status = next_status(before, command)
    spec = state.spec
    if state.status == "running":
        ends_ms = spec.ends_ms if spec.duration_ms is None else time_ms + spec.duration_ms
        state.spec = msgspec.structs.replace(spec, starts_ms=time_ms, ends_ms=ends_ms)
        state.late_ms = latest_close(state)
    elif state.over:
        state.finished_ms = time_ms
        if state.rules_version >= 3:
            state.ended = sorted_digests(state.seen)  # once reopened, what counted before does not count again
        state.seen.clear()  # nothing can count any more, so nothing can count twice
        state.late_ms = 0
        state.cut_short = state.rules_version >= 3 and before == "running" and command == "cancel"
        if before == "running" and command == "end":
            ends_ms = time_ms if spec.ends_ms is None else min(spec.ends_ms, time_ms)  # later it is for extra time
            state.spec = msgspec.structs.replace(spec, ends_ms=ends_ms)
    return StatusChanged(state.offset, before, state.status, time_ms, reason)
