"""A tournament over time against the fold itself: what a table was, is what the fold had at that time."""

from __future__ import annotations

import random

import numpy as np
import pytest

from actors.domain.analytics.attempts import Attempts, Columns, decode_blocks
from actors.domain.analytics.statistics import statistics
from actors.domain.analytics.timeline import MINUTE_MS, Flow, curves, flow, table, table_scores, tables, width_ms
from actors.domain.delivery import ControlItem, ScoreItem
from actors.domain.events import Outcome
from actors.domain.fold import apply
from actors.domain.messages import Disqualify, End, Join, Leave, Spec
from actors.domain.tournament import Tournament
from tests.support.histories import PARTITION, TOURNAMENT, create_of

HOUR_MS = 3_600_000


class Contest:
    """A tournament of an hour from time 0, fed by hand, with the attempts that counted."""

    def __init__(self, **fields: object) -> None:
        spec = Spec(**{"name": "x", "type": "scheduled", "starts_ms": 0, "ends_ms": HOUR_MS, **fields})  # type: ignore[arg-type]
        self.offset = 0
        self.state: Tournament | None = None
        self.attempts = Attempts()
        self.feed(ControlItem(0, 0, TOURNAMENT, create_of(spec)))

    @property
    def now(self) -> Tournament:
        assert self.state is not None
        return self.state

    @property
    def columns(self) -> Columns:
        return decode_blocks(self.attempts.blocks())

    def feed(self, item: ControlItem | ScoreItem) -> None:
        self.state, events = apply(self.state, TOURNAMENT, PARTITION, item)
        self.offset = item.offset
        for event in events:
            if isinstance(item, ScoreItem) and isinstance(event, Outcome) and event.outcome == "applied":
                score = self.now.ranking.score(self.now.members.slot(item.user_id))
                assert score is not None
                self.attempts.add(item.offset, self.now.time_ms, item.user_id, score)

    def join(self, time_ms: int, *users: int) -> None:
        for user in users:
            message = Join(command_id=f"j{user}", user_id=str(user), name=f"P{user}")
            self.feed(ControlItem(self.offset + 1, time_ms, TOURNAMENT, message))

    def score(self, time_ms: int, user: int, score: int) -> None:
        self.feed(ScoreItem(self.offset + 1, time_ms, TOURNAMENT, user, f"e{self.offset}", score))

    def end(self, time_ms: int = HOUR_MS) -> None:
        self.feed(ControlItem(self.offset + 1, time_ms, TOURNAMENT, End(command_id="end")))


@pytest.mark.parametrize("policy", ["best", "last", "sum", "first"])
@pytest.mark.parametrize("ties", ["first", "shared", "dense"])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_tables_and_ranks_over_time_are_those_of_the_fold(policy: str, ties: str, order: str) -> None:
    rng = random.Random(f"{policy}{ties}{order}")
    contest = Contest(score_policy=policy, ties=ties, order=order, max_attempts=4)
    then: dict[int, tuple[int, int, int, np.ndarray]] = {}
    ranks: dict[int, dict[int, int | None]] = {}
    users = range(1, 13)
    for minute in range(30):
        for _ in range(rng.randrange(6)):
            at_ms = minute * MINUTE_MS + 1_000
            if rng.random() < 0.3:
                contest.join(at_ms, rng.choice(users))
            contest.score(at_ms, rng.choice(users), rng.randrange(5))
        state, now = contest.now, table(contest.now)
        then[minute] = now.joined, now.completed, now.submissions, table_scores(state)
        ranks[minute] = {user: state.ranking.rank(state.members.users.slot(user)) for user in users}
    contest.end()
    state, columns = contest.now, contest.columns
    assert width_ms(state) == MINUTE_MS
    found = dict(tables(state, columns, MINUTE_MS))
    assert found
    for time_ms, at_end in found.items():
        joined, completed, submissions, scores = then[time_ms // MINUTE_MS]
        assert (at_end.joined, at_end.completed, at_end.submissions) == (joined, completed, submissions)
        assert at_end.scores == statistics(scores)
    assert at_end == table(state)
    curve = curves(state, columns, MINUTE_MS)
    assert [end - MINUTE_MS for end in curve.times_ms] == sorted(found)
    top = list(state.members.users.user_ids(state.ranking.slots(0, 10)).tolist())
    assert [each.user_id for each in curve.curves] == top
    for each in curve.curves:
        assert each.ranks == [ranks[(end - 1) // MINUTE_MS][each.user_id] for end in curve.times_ms]
        assert each.name == f"P{each.user_id}"


def test_what_came_in_is_counted_by_minutes() -> None:
    contest = Contest(max_attempts=2)
    contest.join(5, 1, 2)
    for time_ms in (10, MINUTE_MS - 1, MINUTE_MS, 3 * MINUTE_MS):
        if time_ms == MINUTE_MS:
            contest.join(MINUTE_MS, 3)
        contest.score(time_ms, 1, 5)  # two are attempts, the rest is ignored
    contest.score(3 * MINUTE_MS, 2, 5)
    state = contest.now
    assert flow(state, contest.columns) == [Flow(0, 2, 2), Flow(MINUTE_MS, 0, 1), Flow(3 * MINUTE_MS, 1, 0)]
    assert flow(state, contest.columns, HOUR_MS) == [Flow(0, 3, 3)]
    after = list(tables(state, contest.columns, MINUTE_MS, after_ms=MINUTE_MS))
    assert [time_ms for time_ms, _ in after] == [MINUTE_MS, 3 * MINUTE_MS]
    assert next(time_ms for time_ms, _ in tables(state, contest.columns, MINUTE_MS, after_ms=MINUTE_MS - 1)) == 0


def test_who_left_or_is_disqualified_is_in_no_table_and_what_they_sent_is_counted() -> None:
    contest = Contest()
    contest.join(1, 1, 2, 3)
    for user in (1, 2, 3):
        contest.score(2, user, user)
    contest.feed(ControlItem(contest.offset + 1, 3, TOURNAMENT, Leave(command_id="l", user_id="1")))
    contest.feed(ControlItem(contest.offset + 1, 3, TOURNAMENT, Disqualify(command_id="d", user_id="3", reason="x")))
    ((_, then),) = tables(contest.now, contest.columns, MINUTE_MS)
    assert then == table(contest.now)
    assert (then.joined, then.scored, then.submissions, then.scores.total) == (2, 1, 3, 2)
    assert [each.user_id for each in curves(contest.now, contest.columns, MINUTE_MS).curves] == [2]


def test_of_an_empty_tournament_there_is_nothing() -> None:
    contest = Contest()
    assert list(tables(contest.now, contest.columns, MINUTE_MS)) == []
    assert flow(contest.now, contest.columns) == []
    assert curves(contest.now, contest.columns, MINUTE_MS) == ([], [])
    assert table(contest.now).scores.size == 0


def test_steps_are_as_wide_as_the_planned_time_wants() -> None:
    assert width_ms(Contest(ends_ms=4 * HOUR_MS).now) == MINUTE_MS
    assert width_ms(Contest(ends_ms=4 * HOUR_MS + 1).now) == 2 * MINUTE_MS
    assert width_ms(Contest(ends_ms=30 * 24 * HOUR_MS).now) == 180 * MINUTE_MS
