"""Edit: what the state allows of a spec to change."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET

from actors.domain.events import Event, outcome_of
from actors.domain.life.status import pass_time
from actors.domain.messages import Edit, Spec
from actors.domain.messages.spec import LATER_FIELDS
from actors.domain.messages.spec_rules import spec_problems
from actors.domain.tournament import Tournament

SCHEDULED_ONLY: Final = ("window_ms", "ends_when", "prizes")  # of the LATER_FIELDS


def edit(state: Tournament, offset: int, message: Edit, _user_id: int) -> list[Event]:
    """Set what is given, all of it or nothing."""
    reason, detail = _edit_problem(state, message)
    if reason:
        return [outcome_of(offset, message, reason, detail)]
    state.spec = _edited(state.spec, message)
    state.version += 1
    return [outcome_of(offset, message, first=True), *pass_time(state, offset, state.time_ms)]


def _edited(spec: Spec, edit: Edit) -> Spec:
    wanted: dict[str, Any] = {}
    for name in edit.changes.__struct_fields__:
        value = getattr(edit.changes, name)
        if name not in LATER_FIELDS:
            if value is not None:
                wanted[name] = value
        elif value is not UNSET:
            wanted[name] = UNSET if value is None else value
    return msgspec.structs.replace(spec, **wanted)


def _edit_problem(state: Tournament, edit: Edit) -> tuple[str, str]:
    """Why an edit is refused: (reason, detail), or empty strings. Nothing is changed."""
    spec, changes = state.spec, edit.changes
    if edit.if_version is not None and edit.if_version != state.version:
        return "version_mismatch", f"expected version {edit.if_version}, the tournament is at {state.version}"
    if state.over:
        return "already_over", f"cannot edit a tournament that is {state.status}"
    if state.status == "running":
        for name in ("starts_ms", "duration_ms", "min_participants"):
            if getattr(changes, name) is not None:
                return "not_scheduled", f"cannot edit {name.removesuffix('_ms')} of a tournament that is running"
        for name in SCHEDULED_ONLY:
            if getattr(changes, name) is not UNSET:
                return "not_scheduled", f"cannot edit {name.removesuffix('_ms')} of a tournament that is running"
    if changes.freeze_ms is not UNSET and (state.frozen is not None or state.revealed):
        return "edit_not_allowed", "the table was frozen already"
    if spec.type == "instant" and changes.starts_ms is not None:
        return "edit_not_allowed", "an instant tournament starts when it is full"
    if spec.type == "instant" and changes.ends_ms is not None and state.status == "scheduled":
        return "edit_not_allowed", "an instant tournament ends its duration after it starts"
    if spec.type == "scheduled" and changes.duration_ms is not None:
        return "edit_not_allowed", "a scheduled tournament has no duration"
    if changes.capacity is not None and (spec.capacity is None or changes.capacity < spec.capacity):
        return "edit_not_allowed", f"a capacity may only grow; it is {spec.capacity}"
    edited = _edited(spec, edit)
    if state.rules_version >= 2:
        problems = spec_problems(edited, started=state.status == "running")
        if problems:
            return "invalid", str(problems[0])
        joined, needed = state.members.joined, edited.min_participants
        due = state.status == "scheduled" and edited.starts_ms is not None and edited.starts_ms <= state.time_ms
        if due and joined < needed:
            return (
                "too_few_participants",
                f"it would start at once: expected at least {needed} participants, got {joined}",
            )
    if edited.ends_ms is not None and edited.ends_ms <= max(state.time_ms, edited.starts_ms or 0):
        return "edit_not_allowed", "the end must lie after the start and in the future"
    return "", ""
