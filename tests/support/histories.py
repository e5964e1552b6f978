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
    ApprovePrizes,
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
    Erase,
    ExtraTime,
    Invite,
    Join,
    Leave,
    Message,
    Open,
    Reinstate,
    Reopen,
    Reveal,
    RevokeInvitation,
    Spec,
    Standings,
    Start,
    Tick,
    Written,
)
from actors.domain.messages.spec import Cohorts, League, Recurrence
from actors.domain.prizes.rules import PrizeRules
from actors.domain.tournament import Tournament
from tests.support.naive_scoring import random_scores, random_submission
from tests.support.naive_tournament import NaiveTournament
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


def told_naively(naive: NaiveTournament | None, step: Step) -> NaiveTournament:
    """The naive model of a history's tournament, None before its create, with one more record."""
    if naive is None:
        assert isinstance(step.what, Create)
        return NaiveTournament(step.what, step.time_ms)
    if isinstance(step.what, Score):
        naive.score(step.time_ms, Sent(*step.what, None, None))
    elif isinstance(step.what, Sent):
        naive.score(step.time_ms, step.what)
    else:
        naive.apply(step.time_ms, step.what)
    return naive


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
LATER_KINDS = (
    ["begin"] * 8
    + ["done"] * 4
    + ["extra_time", "disqualify", "reinstate"] * 3
    + ["reopen"] * 5
    + ["reveal", "erase", "approve_prizes"]
)
OF_LATER_RULES = [
    "begin",
    "done",
    "extra_time",
    "disqualify",
    "reopen",
    "reveal",
    "edit_later",
    "approve_prizes",
]  # than 1 and 2: refused
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
        case "erase":
            return Erase(command_id=command, user_id=str(user))
        case "approve_prizes":
            return ApprovePrizes(command_id=command)
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
    """The same with scoring, a subscore, boards and teams, mostly, and prizes. Drawn apart, so that the rest is as it would be without."""
    scored = msgspec.convert({**msgspec.to_builtins(spec), **random_scores(r)}, Spec)
    return msgspec.structs.replace(scored, prizes=random_prizes(r)) if r.random() < 0.5 else scored


def random_prizes(r: Random) -> PrizeRules:
    """A few rules, each of another kind."""
    rules = []
    for _ in range(r.randint(1, 3)):
        first = r.randint(1, 2)
        who: dict[str, Any] = r.choice(
            [{"ranks": [first, first + r.randint(0, 2)]}, {"top_percent": 40}, {"min_score": 0.5}]
        )
        what: dict[str, Any] = r.choice(
            [{"amount": "10.01", "currency": "EUR"}, {"amount": "100", "currency": "JPY"}, {"item": "mug"}]
        )
        rules.append({**who, **what, "ties": r.choice(["split", "each", "next"]), "claim": r.random() < 0.2})
    return msgspec.convert(rules, PrizeRules)


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


def random_parent(r: Random, spec: Spec, durations_ms: Sequence[int] = (100, 400)) -> Spec:
    """The same as one that opens others: cohorts, a series, a series of cohorts, or a league."""
    kind = r.choice(["cohorts", "cohorts", "series", "both", "league", "league", "league"])
    fields: dict[str, Any] = {}
    if kind != "series":
        fields |= {"capacity": None, "min_participants": 0}
    if kind in ("cohorts", "both"):
        fields["cohorts"] = Cohorts(size=r.randint(1, 3))
    if kind == "league":
        fields["league"] = League(tiers=r.randint(2, 3), promote=r.randint(0, 2), demote=r.randint(0, 2))
        fields["type"] = "scheduled"
    if kind != "cohorts":
        scheduled = kind == "league" or spec.type == "scheduled"
        duration_ms, ahead = r.choice(durations_ms), r.randint(1, 3) if scheduled else 1
        fields["recurrence"] = Recurrence(cron="* * * * *", time_zone="UTC", duration_ms=duration_ms, ahead=ahead)
        fields |= {"starts_ms": None, "ends_ms": None, "duration_ms": None}
    if kind != "series" and spec.ends_when is not UNSET:
        fields["join_until"] = "start"
    return msgspec.structs.replace(spec, **fields)


class _Owner:
    """What a parent's owner tells it, in a history of one tournament: mostly what comes next, else what has no place there."""

    def __init__(self, r: Random, spec: Spec) -> None:
        self._random = r
        self._tiers = 3 if spec.league is UNSET else spec.league.tiers
        self._opened = [0]
        self._decided = 0

    def record(self, now: int) -> Message:
        r, command = self._random, f"o{self._random.randint(0, 200)}"
        right = r.random() < 0.8
        match r.choice(["open", "open", "written", "standings"]):
            case "open":
                after = self._opened[-1] if right else r.choice(self._opened)
                starts = max(after, now - 50) + r.choice([0, 1, 50, 100, 200])
                if right:
                    self._opened.append(starts)
                return Open(command_id=command, after_ms=after, starts_ms=starts, missed=r.choice([0, 0, 3]))
            case "written":
                return Written(command_id=command, upto=r.randint(0, 12))
            case _:
                comes = min((at for at in self._opened if at > self._decided), default=0)
                starts = comes if right else r.choice(self._opened)
                self._decided = max(self._decided, starts)
                users = r.sample(list(USERS), r.randint(0, 4))
                moves = [(str(user), r.randint(0, self._tiers + 1)) for user in users]
                return Standings(command_id=command, starts_ms=starts, moves=moves)


def random_history(seed: int, length: int) -> list[Step]:
    """A create, some joins, and what else may come, `length` records after the create in all.

    A shorter history is the beginning of a longer one of the same seed, so that a failure shrinks. Append times mostly grow, as the log's do,
    but the fold must not rely on it.
    """
    r = Random(seed)
    now = BEGIN_MS
    rules = r.choice([1, 2, RULES_VERSION, RULES_VERSION, RULES_VERSION])
    spec = random_spec(r, rules)
    kinds = KINDS * 2 + OF_LATER_RULES if rules < 3 else KINDS + LATER_KINDS + ["edit_later"] * 2
    scores = Random(f"scores {seed}")
    owner = None
    if rules >= 3:
        spec = with_scores(spec, scores)
        if scores.random() < 0.25:
            spec = random_parent(scores, spec)
            owner = _Owner(scores, spec)
    steps = [Step(now, create_of(spec, rules_version=rules))]
    joins = r.randint(0, 6)
    again_at = r.randint(1, 200)  # the same create again, or another under the same id
    for n in range(length):
        now += r.choice(PAUSES_MS)
        what = fitted(random_record(r, "join" if n < joins else r.choice(kinds)), spec, scores)
        if owner is not None and scores.random() < 0.2:
            what = owner.record(now)
        if isinstance(what, Command) and scores.random() < 0.3:
            what = msgspec.structs.replace(what, by="99")
        steps.append(Step(now, create_of(spec, r.choice(["digest", "other"]), "again") if n == again_at else what))
    return steps


def histories() -> st.SearchStrategy[list[Step]]:
    return st.builds(random_history, st.integers(0, 2**64 - 1), st.integers(20, 70) | st.integers(0, 70))
