"""The fold: `apply(state, record) -> events`. The only way in which a tournament changes; deterministic, without I/O or clock.

Before each record the status moves on to the record's time: a due start (or, with too few participants, a cancellation), then a
due end. So the end is exact in the log's own order and clock.

A tournament keeps the rules it was created under (`rules_version`). Rules 1 let whoever had left a private tournament come back
without an invitation, did not judge the spec of a create, and took edits that break a rule of the whole spec or cancel the tournament.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from actors.domain.delivery import ControlItem, Item, ScoreItem
from actors.domain.errors import IllegalTransitionError, InvalidRecordError
from actors.domain.messages import (
    Cancel,
    Claim,
    Control,
    Create,
    Edit,
    End,
    Join,
    Leave,
    Spec,
    Start,
    Tick,
)
from actors.domain.ranking.ranking import Ranking
from actors.domain.scoring import Scored, take_score
from actors.domain.spec_rules import spec_problems
from actors.domain.tournament import Members, Tournament, multiplier_of
from actors.domain.transitions import REFUSAL, Command, Status, next_status
from actors.domain.values import parse_id

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


Event = Outcome | StatusChanged


def apply(state: Tournament | None, tournament_id: int, partition: int, item: Item) -> tuple[Tournament, list[Event]]:
    """Apply one record; returns the state (the same object, changed) and the events.

    A record at or below the state's offset was applied before and changes nothing. Raises InvalidRecordError (`unknown_tournament`,
    `malformed`) for what cannot be applied: a dead letter.
    """
    events: list[Event]
    if isinstance(item, ScoreItem):
        if state is None:
            raise InvalidRecordError(
                "unknown_tournament", f"no tournament {tournament_id} was created before this score"
            )
        applied = apply_score(state, item, state.members.slot(item.user_id))
        if applied is None:
            return state, []
        scored, events = applied
        events.append(score_outcome(item, scored.reason))
        return state, events
    if state is not None and item.offset <= state.offset:
        return state, []
    message = item.message
    if isinstance(message, Claim) and state is not None:
        return state, []  # owners read claims; a tournament is the same whoever holds it
    if isinstance(message, Create):
        return _create(state, tournament_id, partition, item, message)
    if state is None:
        raise InvalidRecordError("unknown_tournament", f"no tournament {tournament_id} was created before this record")
    user_id = _user_id(message.user_id) if isinstance(message, Join | Leave) else 0  # before anything has changed
    events = advance(state, item)
    if not isinstance(message, Tick):
        events.extend(_control(state, item, message, user_id))
    return state, events


def apply_score(
    state: Tournament, item: ScoreItem, slot: int, known_rank: int | None = None
) -> tuple[Scored, list[Event]] | None:
    """Apply one score: what became of it, and how the status moved before it; None when the record was applied before.

    `slot` is that of its user among those who take part (`Members.slot`), -1 for none. `known_rank`: the user's rank (0 for none) where
    the caller has looked up many together; else it is looked up if the score changes.
    """
    if item.offset <= state.offset:
        return None
    events = advance(state, item)
    return take_score(state, item, slot, known_rank), events


def _user_id(text: str) -> int:
    try:
        return parse_id(text)
    except ValueError as error:
        raise InvalidRecordError("malformed", str(error)) from error


def advance(state: Tournament, item: Item) -> list[Event]:
    """Move time and status on to a record that is beyond the state's offset: rule 2.

    What meets a tournament that is over leaves it untouched, to the byte: its last snapshot stays the truth.
    """
    return [] if state.over else _advance(state, item.offset, item.time_ms)


def _advance(state: Tournament, offset: int, time_ms: int) -> list[Event]:
    state.offset = offset
    state.time_ms = max(state.time_ms, time_ms)
    due = state.due_ms
    if due is None or due > state.time_ms:
        return []
    events: list[Event] = []
    if state.status == "scheduled":
        if state.members.joined < state.spec.min_participants:
            events.append(_move(state, "abandon", due, "too_few_participants"))
        else:
            events.append(_move(state, "start", due, "starts_at"))
    due = state.due_ms
    if state.status == "running" and due is not None and due <= state.time_ms:
        events.append(_move(state, "end", due, "ends_at"))
    return events


def _move(state: Tournament, command: Command, time_ms: int, reason: str) -> StatusChanged:
    before = state.status
    state.status = next_status(before, command)
    spec = state.spec
    if state.status == "running":
        ends_ms = spec.ends_ms if spec.duration_ms is None else time_ms + spec.duration_ms
        state.spec = msgspec.structs.replace(spec, starts_ms=time_ms, ends_ms=ends_ms)
    elif state.over:
        state.finished_ms = time_ms
        state.seen.clear()  # nothing can count any more, so nothing can count twice
        if before == "running" and command == "end":
            state.spec = msgspec.structs.replace(spec, ends_ms=time_ms)
    return StatusChanged(state.offset, before, state.status, time_ms, reason)


def score_outcome(item: ScoreItem, reason: str) -> Outcome:
    """The outcome of a score by the reason of its verdict."""
    return Outcome(item.offset, "score", IGNORED if reason else APPLIED, reason, "", item.user_id, item.event_id)


def _create(
    state: Tournament | None, tournament_id: int, partition: int, item: ControlItem, create: Create
) -> tuple[Tournament, list[Event]]:
    if state is not None:
        events = advance(state, item)
        same = create.request_digest == state.request_digest
        outcome = APPLIED if same else REFUSED
        reason = "" if same else "idempotency_conflict"
        detail = "" if same else "another tournament was created with this Idempotency-Key"
        events.append(Outcome(item.offset, "create", outcome, reason, detail, event_id=create.command_id))
        return state, events
    salt, creator, spec = bytes.fromhex(create.salt), _user_id(create.creator), create.spec
    problems = spec_problems(spec) if create.rules_version >= 2 else []
    if problems:
        raise InvalidRecordError("malformed", f"spec.{problems[0]}")
    state = Tournament(
        tournament_id=tournament_id,
        partition=partition,
        rules_version=create.rules_version,
        creator=creator,
        dedicated=create.dedicated,
        salt=salt,
        request_digest=create.request_digest,
        spec=spec,
        created_ms=item.time_ms,
        time_ms=item.time_ms,
        offset=item.offset,
        members=Members(multiplier_of(salt)),
        ranking=Ranking(descending=spec.order == "desc", ties=spec.ties),
    )
    events = _advance(state, item.offset, item.time_ms)
    events.insert(0, Outcome(item.offset, "create", APPLIED, event_id=create.command_id, first=True))
    return state, events


def _control(state: Tournament, item: ControlItem, message: Control, user_id: int) -> list[Event]:
    """Join, leave and the operators' commands; a command id takes effect once: only an applied command consumes it."""
    kind = str(message.__struct_config__.tag)
    command_id = message.command_id
    digest = state.digest(b"c", 0, command_id)
    if digest in state.seen:
        return [Outcome(item.offset, kind, IGNORED, "duplicate", event_id=command_id)]
    events = _HANDLERS[type(message)](state, item.offset, message, user_id)
    if not state.over and any(isinstance(event, Outcome) and event.outcome == APPLIED for event in events):
        state.seen.add(digest)
    return events


def _join(state: Tournament, offset: int, join: Join, user_id: int) -> list[Event]:
    events: list[Event] = [_take_in(state, offset, join, user_id)]
    if state.spec.type == "instant" and state.members.joined == state.spec.capacity and state.status == "scheduled":
        events.append(_move(state, "start", state.time_ms, "full"))
    return events


def _take_in(state: Tournament, offset: int, join: Join, user_id: int) -> Outcome:
    members = state.members
    slot = members.users.slot(user_id)

    def outcome(reason: str = "", detail: str = "", *, first: bool = False) -> Outcome:
        return Outcome(offset, "join", REFUSED if reason else APPLIED, reason, detail, user_id, join.command_id, first)

    if slot >= 0 and members.active[slot]:
        if join.name is not None and join.name != members.names[slot]:
            if state.over:
                return outcome("already_over", f"cannot change a name in a tournament that is {state.status}")
            members.names[slot] = join.name
        return outcome()
    if state.over or (state.status == "running" and state.spec.join_until == "start"):
        return outcome("registration_closed", f"cannot join a tournament that is {state.status}")
    if not join.invited:
        if slot in members.removed:
            return outcome("removed", "who was removed is brought back by a service alone")
        if state.spec.visibility == "private" and (slot < 0 or state.rules_version >= 2):
            return outcome("invite_invalid", "a private tournament is joined by invitation")
    if state.spec.capacity is not None and members.joined >= state.spec.capacity:
        return outcome("tournament_full", f"all {state.spec.capacity} places are taken")
    if slot < 0:
        slot = members.add(user_id, join.name, state.time_ms)
    else:
        members.active[slot] = 1
        members.joined += 1
        members.removed.discard(slot)
        if join.name is not None:
            members.names[slot] = join.name
        state.ranking.show(slot)
    return outcome(first=True)


def _leave(state: Tournament, offset: int, leave: Leave, user_id: int) -> list[Event]:
    members = state.members
    slot = members.slot(user_id)
    if state.over:
        detail = f"cannot leave a tournament that is {state.status}"
        return [Outcome(offset, "leave", REFUSED, "already_over", detail, user_id, leave.command_id)]
    if leave.removed is True and (known := members.users.slot(user_id)) >= 0:
        members.removed.add(known)  # also one who had left before
    if slot >= 0:
        members.active[slot] = 0
        members.joined -= 1
        state.ranking.hide(slot)
    return [Outcome(offset, "leave", APPLIED, "", "", user_id, leave.command_id, first=slot >= 0)]


def _command(state: Tournament, offset: int, message: Start | End | Cancel, _user_id: int) -> list[Event]:
    kind, command_id = str(message.__struct_config__.tag), message.command_id
    command: Command = kind  # type: ignore[assignment]  # the message's tag is the command's name
    joined, needed = state.members.joined, state.spec.min_participants
    if command == "start" and state.status == "scheduled" and joined < needed:
        detail = f"expected at least {needed} participants, got {joined}"
        return [Outcome(offset, kind, REFUSED, "too_few_participants", detail, event_id=command_id)]
    try:
        changed = _move(state, command, state.time_ms, "command")
    except IllegalTransitionError as error:
        return [Outcome(offset, kind, REFUSED, REFUSAL[command], str(error), event_id=command_id)]
    return [Outcome(offset, kind, APPLIED, event_id=command_id, first=True), changed]


def _edit(state: Tournament, offset: int, edit: Edit, _user_id: int) -> list[Event]:
    reason, detail = _edit_problem(state, edit)
    if reason:
        return [Outcome(offset, "edit", REFUSED, reason, detail, event_id=edit.command_id)]
    state.spec = _edited(state.spec, edit)
    state.version += 1
    events: list[Event] = [Outcome(offset, "edit", APPLIED, event_id=edit.command_id, first=True)]
    return events + _advance(state, offset, state.time_ms)


def _edited(spec: Spec, edit: Edit) -> Spec:
    wanted = {name: getattr(edit.changes, name) for name in edit.changes.__struct_fields__}
    return msgspec.structs.replace(spec, **{name: value for name, value in wanted.items() if value is not None})


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


_HANDLERS: Final[dict[type[Control], Callable[[Tournament, int, Any, int], list[Event]]]] = {
    Join: _join,
    Leave: _leave,
    Start: _command,
    End: _command,
    Cancel: _command,
    Edit: _edit,
}
