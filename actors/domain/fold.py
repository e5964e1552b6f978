"""The fold: `apply(state, record) -> events`. The only way in which a tournament changes; deterministic, without I/O or clock.

Before each record the status moves on to the record's time: a due start (or, with too few participants, a cancellation), then a
due end. So the end is exact in the log's own order and clock.
"""

from __future__ import annotations

from typing import Final, NamedTuple

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
    Message,
    ScoreWire,
    Start,
    Tick,
    decode_value,
)
from actors.domain.ranking.ranking import Ranking
from actors.domain.scoring import judge_score, take_score
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


def apply(
    state: Tournament | None, tournament_id: int, partition: int, item: Item, message: Message | ScoreWire | None = None
) -> tuple[Tournament, list[Event]]:
    """Apply one record; returns the state (the same object, changed) and the events.

    `message` is a control item's value, for a caller that has decoded it already. A record at or below the state's offset was
    applied before and changes nothing. Raises InvalidRecordError (`unknown_tournament`, `malformed`) for what cannot be applied: a
    dead letter.
    """
    if state is not None and item.offset <= state.offset:
        return state, []
    if isinstance(item, ScoreItem):
        if state is None:
            raise InvalidRecordError(
                "unknown_tournament", f"no tournament {tournament_id} was created before this score"
            )
        events: list[Event] = advance(state, item)
        slot = state.members.slot(item.user_id)
        verdict = judge_score(state, item, slot)
        if not verdict.reason:
            take_score(state, slot, verdict)
        events.append(score_outcome(item, verdict.reason))
        return state, events
    if message is None:
        message = decode_value(item.value)
    if isinstance(message, Claim) and state is not None:
        return state, []  # owners read claims; a tournament is the same whoever holds it
    if isinstance(message, Create):
        return _create(state, tournament_id, partition, item, message)
    if state is None:
        raise InvalidRecordError("unknown_tournament", f"no tournament {tournament_id} was created before this record")
    if isinstance(message, ScoreWire):
        raise InvalidRecordError("malformed", "expected a control record, got a score")
    user_id = _user_id(message.user_id) if isinstance(message, Join | Leave) else 0  # before anything has changed
    events = advance(state, item)
    if not isinstance(message, Tick):
        events.extend(_control(state, item, message, user_id))
    return state, events


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
    events: list[Event] = []
    match message:
        case Join():
            events.append(_join(state, item.offset, message, user_id))
            if (
                state.spec.type == "instant"
                and state.members.joined == state.spec.capacity
                and state.status == "scheduled"
            ):
                events.append(_move(state, "start", state.time_ms, "full"))
        case Leave():
            events.append(_leave(state, item.offset, message, user_id))
        case Edit():
            events.extend(_edit(state, item.offset, message))
        case Start() | End() | Cancel():
            events.extend(_command(state, item.offset, kind, command_id))
        case _:
            raise InvalidRecordError("malformed", f"a {kind} is no command of a tournament")
    if not state.over and any(isinstance(event, Outcome) and event.outcome == APPLIED for event in events):
        state.seen.add(digest)
    return events


def _join(state: Tournament, offset: int, join: Join, user_id: int) -> Outcome:
    members = state.members
    slot = members.users.slot(user_id)

    def outcome(reason: str = "", detail: str = "", *, first: bool = False) -> Outcome:
        return Outcome(offset, "join", REFUSED if reason else APPLIED, reason, detail, user_id, join.command_id, first)

    if slot >= 0 and members.active[slot]:
        if join.name is not None and join.name != members.names[slot] and not state.over:
            members.names[slot] = join.name
            state.dirty.add(slot)
        return outcome()
    if state.over or (state.status == "running" and state.spec.join_until == "start"):
        return outcome("registration_closed", f"cannot join a tournament that is {state.status}")
    if state.spec.visibility == "private" and not join.invited and slot < 0:
        return outcome("invite_invalid", "a private tournament is joined by invitation")
    if state.spec.capacity is not None and members.joined >= state.spec.capacity:
        return outcome("tournament_full", f"all {state.spec.capacity} places are taken")
    if slot < 0:
        slot = members.add(user_id, join.name, state.time_ms)
    else:
        members.active[slot] = 1
        members.joined += 1
        if join.name is not None:
            members.names[slot] = join.name
        state.ranking.show(slot)
    state.dirty.add(slot)
    return outcome(first=True)


def _leave(state: Tournament, offset: int, leave: Leave, user_id: int) -> Outcome:
    slot = state.members.slot(user_id)
    if state.over:
        detail = f"cannot leave a tournament that is {state.status}"
        return Outcome(offset, "leave", REFUSED, "already_over", detail, user_id, leave.command_id)
    if slot >= 0:
        state.members.active[slot] = 0
        state.members.joined -= 1
        state.ranking.hide(slot)
        state.dirty.add(slot)
    return Outcome(offset, "leave", APPLIED, "", "", user_id, leave.command_id, first=slot >= 0)


def _command(state: Tournament, offset: int, kind: str, command_id: str) -> list[Event]:
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


def _edit(state: Tournament, offset: int, edit: Edit) -> list[Event]:
    reason, detail = _edit_problem(state, edit)
    if reason:
        return [Outcome(offset, "edit", REFUSED, reason, detail, event_id=edit.command_id)]
    wanted = {name: getattr(edit.changes, name) for name in edit.changes.__struct_fields__}
    state.spec = msgspec.structs.replace(state.spec, **{k: v for k, v in wanted.items() if v is not None})
    state.version += 1
    events: list[Event] = [Outcome(offset, "edit", APPLIED, event_id=edit.command_id, first=True)]
    return events + _advance(state, offset, state.time_ms)


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
    starts = changes.starts_ms if changes.starts_ms is not None else spec.starts_ms
    ends = changes.ends_ms if changes.ends_ms is not None else spec.ends_ms
    if ends is not None and ends <= max(state.time_ms, starts or 0):
        return "edit_not_allowed", "the end must lie after the start and in the future"
    return "", ""
