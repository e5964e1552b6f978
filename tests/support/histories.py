"""Random histories of one tournament for property tests: a create and the records that follow, few users, many collisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET

from actors.domain.delivery import ControlItem, Item, ScoreItem
from actors.domain.events import Event, Outcome, TableFrozen
from actors.domain.fold import apply
from actors.domain.messages import (
    RULES_VERSION,
    Begin,
    Cancel,
    Changes,
    Command,
    Create,
    Disqualify,
    Done,
    Edit,
    End,
    EndsWhen,
    ExtraTime,
    Invite,
    Join,
    Leave,
    Message,
    Reinstate,
    Reopen,
    Reveal,
    RevokeInvitation,
    Spec,
    Start,
    Tick,
)
from actors.domain.tournament import Tournament
from tests.support.naive_scoring import random_scores, random_submission
from tests.support.submissions import Sent

TOURNAMENT = 7
PARTITION = 3
SALT = "5a" * 16
BEGIN_MS = 10_000  # times of a history are around this


class Score(NamedTuple):
    """A score as producers send it, in hundredths."""

    user: int
    event_id: str
    score: int


class Step(NamedTuple):
    """A record with its append time."""

    time_ms: int
    what: Message | Score | Sent


def create_of(
    spec: Spec, digest: str = "digest", command_id: str = "create", rules_version: int = RULES_VERSION
) -> Create:
    return Create(
        command_id=command_id,
        creator="99",
        created_ms=BEGIN_MS,
        spec=spec,
        dedicated=False,
        salt=SALT,
        request_digest=digest,
        rules_version=rules_version,
    )


def item_of(offset: int, step: Step) -> Item:
    if isinstance(step.what, Sent):
        plain = step.what.subscore is None and step.what.result is None  # as ingest reads it
        if not plain:
            return step.what.item(offset, step.time_ms, TOURNAMENT)
    if isinstance(step.what, Score | Sent):
        assert step.what.score is not None
        return ScoreItem(offset, step.time_ms, TOURNAMENT, step.what.user, step.what.event_id, step.what.score)
    return ControlItem(offset, step.time_ms, TOURNAMENT, step.what)


def items_of(steps: Iterable[Step], first_offset: int = 10) -> list[Item]:
    """The records as owners get them; offsets leave gaps, as those of a shared partition do."""
    return [item_of(first_offset + 3 * n, step) for n, step in enumerate(steps)]


def fold(items: Iterable[Item], state: Tournament | None = None) -> Tournament:
    for item in items:
        state, _ = apply(state, TOURNAMENT, PARTITION, item)
    assert state is not None
    return state


def plain(events: Sequence[Event]) -> list[tuple[object, ...]]:
    """Events as the naive model tells them."""
    return [_plain(event) for event in events]


def _plain(event: Event) -> tuple[object, ...]:
    match event:
        case Outcome():
            return event.kind, event.outcome, event.reason
        case TableFrozen():
            return "table", "frozen", "", event.time_ms
        case _:
            return "status", event.before, event.after, event.time_ms


USERS = range(1, 7)
TOKENS = "abcdef"
KINDS = (
    ["score"] * 50
    + ["join"] * 14
    + ["leave"] * 4
    + ["edit"] * 3
    + ["huge"] * 6
    + ["invite"] * 5
    + ["revoke"]
    + ["start", "end", "cancel", "tick"]
)
LATER_KINDS = ["begin"] * 8 + ["done"] * 4 + ["extra_time", "disqualify", "reinstate"] * 3 + ["reopen"] * 5 + ["reveal"]
PAUSES_MS = [0] * 10 + [1] * 10 + [5, 10, 20, 100, -20]


def random_spec(r: Random, rules: int = 2) -> Spec:
    spec = _plain_spec(r)
    return spec if rules < 3 else msgspec.structs.replace(spec, **_later_fields(r, 0.3))


def _later_fields(r: Random, share: float) -> dict[str, Any]:
    """Fields of rules 3, each with this probability."""
    choices: list[dict[str, Any]] = [
        {"all_done": True},
        {"target_score": r.randint(-1, 3) * 50, "count": r.randint(1, 3)},
    ]
    ends = r.choice(choices)
    values = {"window_ms": r.choice([10, 50, 200]), "freeze_ms": r.choice([5, 50, 900]), "ends_when": EndsWhen(**ends)}
    return {name: value for name, value in values.items() if r.random() < share}


def _plain_spec(r: Random) -> Spec:
    fields: dict[str, Any] = {
        "order": r.choice(["desc", "asc"]),
        "score_policy": r.choice(["best", "last", "sum", "first"]),
        "ties": r.choice(["first", "shared", "dense"]),
        "max_attempts": r.choice([1, 2, 3, 10_000, 10_000]),
        "visibility": r.choice(["public"] * 4 + ["private"]),
        "join_until": r.choice(["start", "end", "end"]),
        "min_participants": r.choice([0, 0, 0, 2]),
    }
    duration = r.choice([1, 100, 300, 600, 600])
    if r.random() < 0.3:
        places = r.randint(max(1, fields["min_participants"]), 4)
        return Spec(name="x", type="instant", duration_ms=duration, capacity=places, **fields)
    starts = BEGIN_MS + r.randint(-20, 100)
    capacity = r.choice([None, None, 3, 4, 6])
    return Spec(name="x", type="scheduled", starts_ms=starts, ends_ms=starts + duration, capacity=capacity, **fields)


def random_record(r: Random, kind: str, users: Sequence[int] = USERS) -> Message | Score:
    """One record of a kind; ids repeat often."""
    command, user = f"c{r.randint(0, 60)}", r.choice(users)
    match kind:
        case "score":
            return Score(user, r.choice(TOKENS), r.randint(-3, 3) * 50)
        case "huge":
            return Score(user, r.choice(TOKENS), r.choice([1, -1]) * r.choice([9_999_999_999, 5_000_000_000]))
        case "join":
            name = r.choice([None, "Ann", "Bo", "Zoë"])
            invitation = r.choice(TOKENS) if r.random() < 0.5 else UNSET
            return Join(
                command_id=command, user_id=str(user), name=name, invited=r.random() < 0.4, invitation=invitation
            )
        case "invite":
            return Invite(
                command_id=command,
                invitation=r.choice(TOKENS),
                creator="99",
                user_id=r.choice([None, str(user)]),
                uses=r.choice([1, 1, 2, 5]),
                expires_ms=r.choice([None, BEGIN_MS + r.randint(-20, 300)]),
            )
        case "revoke":
            return RevokeInvitation(command_id=command, invitation=r.choice(TOKENS))
        case "leave":
            removed = True if r.random() < 0.4 else UNSET
            return Leave(command_id=command, user_id=str(user), removed=removed)
        case "begin":
            return Begin(command_id=command, user_id=str(user))
        case "done":
            return Done(command_id=command, user_id=str(user))
        case "extra_time":
            return ExtraTime(command_id=command, user_id=str(user), extra_ms=r.choice([0, 10, 50, 200]))
        case "disqualify":
            return Disqualify(command_id=command, user_id=str(user), reason=r.choice(["a", "b"]))
        case "reinstate":
            return Reinstate(command_id=command, user_id=str(user))
        case "reopen":
            ends = UNSET if r.random() < 0.2 else BEGIN_MS + r.randint(-50, 1500)
            return Reopen(command_id=command, ends_ms=ends)
        case "reveal":
            return Reveal(command_id=command)
        case "edit_later":
            later = {name: r.choice([value, value, None]) for name, value in _later_fields(r, 0.4).items()}
            return Edit(command_id=command, changes=Changes(**later), if_version=None)
        case "edit":
            return Edit(command_id=command, changes=_random_changes(r), if_version=r.choice([None, None, 1, 2]))
        case "start":
            return Start(command_id=command)
        case "end":
            return End(command_id=command)
        case "cancel":
            return Cancel(command_id=command)
        case _:
            return Tick()


def _random_changes(r: Random) -> Changes:
    values: dict[str, Any] = {
        "name": "renamed",
        "starts_ms": BEGIN_MS + r.randint(-50, 200),
        "ends_ms": BEGIN_MS + r.randint(-50, 700),
        "duration_ms": r.randint(1, 600),
        "capacity": r.randint(1, 9),
        "min_participants": r.randint(0, 3),
        "metadata": {"a": [1, None]},
    }
    names = r.sample(list(values), r.choice([0, 1, 1, 1, 2, 3]))
    return Changes(**{name: values[name] for name in names})


def with_scores(spec: Spec, r: Random) -> Spec:
    """The same with scoring, a subscore, boards and teams, mostly. Drawn apart, so that the rest is as it would be without."""
    return msgspec.convert({**msgspec.to_builtins(spec), **random_scores(r)}, Spec)


def fitted(what: Message | Score, spec: Spec, r: Random) -> Message | Score | Sent:
    """A score or a join as a tournament of `with_scores` mostly wants it, other records as they are."""
    if isinstance(what, Join) and (spec.boards is not UNSET or r.random() < 0.02):
        boards = r.sample(["country", "team"], r.choice([0, 1, 1, 2]))
        attributes = {board: r.choice(["a", "a", "b", "c"]) for board in boards}
        return msgspec.structs.replace(what, attributes=attributes if boards else UNSET)
    if not isinstance(what, Score):
        return what
    if spec.scoring is UNSET and (spec.subscore is UNSET or abs(what.score) > 1000) and r.random() < 0.97:
        subscore = UNSET if spec.subscore is UNSET else r.choice([1, -1]) * what.score
        return what if subscore is UNSET else Sent(what.user, what.event_id, what.score, subscore, None)
    return random_submission(r, msgspec.to_builtins(spec), what.user, what.event_id)


def random_history(seed: int, length: int) -> list[Step]:
    """A create, some joins, and what else may come, `length` records after the create in all.

    A shorter history is the beginning of a longer one of the same seed, so that a failure shrinks. Append times mostly grow, as the log's do,
    but the fold must not rely on it.
    """
    r = Random(seed)
    now = BEGIN_MS
    rules = r.choice([1, 2, RULES_VERSION, RULES_VERSION, RULES_VERSION])
    spec = random_spec(r, rules)
    kinds = KINDS if rules < 3 else KINDS + LATER_KINDS + ["edit_later"] * 2
    scores = Random(f"scores {seed}")
    if rules >= 3:
        spec = with_scores(spec, scores)
    steps = [Step(now, create_of(spec, rules_version=rules))]
    joins = r.randint(0, 6)
    again_at = r.randint(1, 200)  # the same create again, or another under the same id
    for n in range(length):
        now += r.choice(PAUSES_MS)
        what = fitted(random_record(r, "join" if n < joins else r.choice(kinds)), spec, scores)
        if isinstance(what, Command) and what.needed_rules > rules:
            what = Tick()  # under these rules it would be malformed
        steps.append(Step(now, create_of(spec, r.choice(["digest", "other"]), "again") if n == again_at else what))
    return steps


def histories() -> st.SearchStrategy[list[Step]]:
    return st.builds(random_history, st.integers(0, 2**64 - 1), st.integers(20, 70) | st.integers(0, 70))
