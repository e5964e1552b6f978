"""The ranking against a list that is sorted anew for every question."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.domain.errors import ScoreValueError
from actors.domain.ranking import blocks as ranking_blocks
from actors.domain.ranking import order as ranking_order
from actors.domain.ranking.ranking import Ranking
from actors.domain.values import MAX_HUNDREDTHS

SLOTS = 40
TIES = ("first", "shared", "dense")


class SortedList:
    """The model: each member has a score, the time it was reached, and may be hidden."""

    def __init__(self, descending: bool, ties: str) -> None:
        self.descending, self.ties = descending, ties
        self.members: dict[int, tuple[int, int]] = {}
        self.hidden: set[int] = set()
        self.time = 0

    def place(self, slot: int, score: int) -> None:
        if slot not in self.members or self.members[slot][0] != score:
            self.members[slot] = score, self.time
        self.time += 1

    def ordered(self) -> list[int]:
        sign = -1 if self.descending else 1
        return sorted(self.members, key=lambda slot: (sign * self.members[slot][0], self.members[slot][1]))

    def table(self) -> list[int]:
        return [slot for slot in self.ordered() if slot not in self.hidden]

    def scores(self) -> list[int]:
        return [self.members[slot][0] for slot in self.table()]

    def better(self, slot: int) -> list[int]:
        own = self.members[slot][0]
        return [score for score in self.scores() if (score > own if self.descending else score < own)]

    def rank(self, slot: int) -> int | None:
        table = self.table()
        if slot not in table:
            return None
        if self.ties == "first":
            return 1 + table.index(slot)
        better = self.better(slot)
        return 1 + len(better if self.ties == "shared" else set(better))

    def ranks_among(self, listed: list[int]) -> list[int]:
        marks = [-self.members[slot][0] if self.descending else self.members[slot][0] for slot in listed]
        if self.ties == "first":
            return list(range(1, len(listed) + 1))
        better = [[other for other in marks if other < mark] for mark in marks]
        return [1 + len(each if self.ties == "shared" else set(each)) for each in better]

    def percentile(self, slot: int) -> float | None:
        table = self.table()
        return 100.0 * (len(table) - len(self.better(slot))) / len(table) if slot in table else None


def assert_equal(ranking: Ranking, model: SortedList, around: int = 3) -> None:
    table, ordered, scores = model.table(), model.ordered(), model.scores()
    slots = range(-1, SLOTS + 30)
    # Counts first, while moves still wait; rows settle them.
    assert [ranking.rank(slot) for slot in slots] == [model.rank(slot) for slot in slots]
    assert ranking.ranks(list(slots)).tolist() == [model.rank(slot) or 0 for slot in slots]
    assert [ranking.percentile(slot) for slot in slots] == [model.percentile(slot) for slot in slots]
    assert [ranking.position(slot) for slot in table] == list(range(len(table)))
    assert len(ranking) == len(table)
    assert ranking.slots(0, len(table) + 1).tolist() == table
    assert ranking.slots(around, around).tolist() == table[around : 2 * around]
    assert ranking.scores_of(table).tolist() == scores
    assert [ranking.score(slot) for slot in slots] == [model.members.get(slot, (None,))[0] for slot in slots]
    assert ranking.scores_of(ordered).tolist() == [model.members[slot][0] for slot in ordered]
    assert ranking.ordered().tolist() == ordered
    assert [ranking.rank(slot) for slot in slots] == [model.rank(slot) for slot in slots]
    some = list(range(0, SLOTS, 2))
    listed = [slot for slot in table if slot in some]
    among = model.ranks_among(listed)
    assert ranking.sorted_of(some).tolist() == listed
    assert ranking.ranks_among(np.array(listed, np.int32)).tolist() == among
    assert [ranking.rank_among(slot, some) for slot in listed] == among
    assert all(ranking.rank_among(slot, some) is None for slot in some if slot not in listed)


def restored(ranking: Ranking, model: SortedList) -> Ranking:
    ordered = ranking.ordered()
    return Ranking.restore(
        descending=model.descending,
        ties=model.ties,
        slots=ordered,
        scores=ranking.scores_of(ordered),
        hidden=np.array([slot in model.hidden for slot in ordered.tolist()], np.bool_),
    )


slot_ids = st.integers(0, SLOTS - 1)
few_scores = st.one_of(st.integers(-2, 3), st.sampled_from([-MAX_HUNDREDTHS, MAX_HUNDREDTHS]))


def place_all(ranking: Ranking, slots: Iterable[int], scores: Iterable[int]) -> None:
    for slot, score in zip(slots, scores, strict=True):
        ranking.place(int(slot), int(score))


class RankingMachine(RuleBasedStateMachine):
    """Any sequence of writes, with reads, restores and renumberings between, in blocks as short as four."""

    @initialize(descending=st.booleans(), ties=st.sampled_from(TIES), spare_ties=st.sampled_from([1, 7, 1 << 20]))
    def start(self, descending: bool, ties: str, spare_ties: int) -> None:
        self.model = SortedList(descending, ties)
        self.ranking = Ranking(descending=descending, ties=ties, tie_limit=SLOTS + spare_ties)

    @rule(slot=slot_ids, score=few_scores)
    def place(self, slot: int, score: int) -> None:
        self.ranking.place(slot, score)
        self.model.place(slot, score)

    @rule(slot=slot_ids)
    def hide(self, slot: int) -> None:
        self.ranking.hide(slot)
        if slot in self.model.members:
            self.model.hidden.add(slot)

    @rule(slot=slot_ids)
    def show(self, slot: int) -> None:
        self.ranking.show(slot)
        self.model.hidden.discard(slot)

    @rule()
    def go_on_from_a_snapshot(self) -> None:
        again = restored(self.ranking, self.model)
        assert_equal(again, self.model)
        again._tie_limit = self.ranking._tie_limit
        self.ranking = again

    @rule()
    def read_everything(self) -> None:
        assert_equal(self.ranking, self.model)

    @rule(slot=slot_ids)
    def read_one(self, slot: int) -> None:
        assert self.ranking.rank(slot) == self.model.rank(slot)

    @rule()
    def read_the_top(self) -> None:
        assert self.ranking.slots(0, 3).tolist() == self.model.table()[:3]

    @invariant()
    def counts_members_and_ties(self) -> None:
        if hasattr(self, "model"):
            assert self.ranking._next_tie <= self.ranking._tie_limit
            assert len(self.ranking) == len(self.model.members.keys() - self.model.hidden)


@pytest.mark.parametrize("merge_ratio", [0, 4, 1 << 20], ids=["blocks only", "both forms", "flat only"])
def test_any_history_equals_the_sorted_list(merge_ratio: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking_order, "_MERGE_RATIO", merge_ratio)
    monkeypatch.setattr(ranking_order, "_MERGE_FIXED", 0)
    monkeypatch.setattr(ranking_order, "_FEWEST_WAITING", 24)
    monkeypatch.setattr(ranking_order, "_MOST_WAITING", 24)
    monkeypatch.setattr(ranking_order, "_LONGEST_TAIL", 3)
    monkeypatch.setattr(ranking_blocks, "LONGEST", 8)
    monkeypatch.setattr(ranking_blocks, "SHORTEST", 2)
    monkeypatch.setattr(ranking_blocks, "FILL", 4)
    RankingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
    RankingMachine.TestCase("runTest").runTest()


@pytest.mark.parametrize("members", [3_000, 60_000])
@pytest.mark.parametrize(("descending", "ties"), [(True, "first"), (False, "shared"), (True, "dense")])
def test_many_members_in_batches_of_every_size(members: int, descending: bool, ties: str) -> None:
    rng = np.random.default_rng(members)
    ranking = Ranking(descending=descending, ties=ties)
    scores, times = np.zeros(members, np.int64), np.full(members, -1)
    time = itertools.count()
    for size in (members, 1, 13, 100, 100, 5_000, 1, 700, 20):
        slots = rng.permutation(members)[:size] if size != 100 else rng.integers(0, 30, size)
        new = rng.integers(-500, 500, len(slots))
        place_all(ranking, slots, new)
        for slot, score in zip(slots.tolist(), new.tolist(), strict=True):
            now = next(time)
            if times[slot] < 0 or scores[slot] != score:
                scores[slot], times[slot] = score, now
        marks = -scores if descending else scores
        order = np.lexsort((times, marks))
        expected = {
            "first": order.argsort() + 1,
            "shared": np.searchsorted(marks[order], marks) + 1,
            "dense": np.searchsorted(np.unique(marks), marks) + 1,
        }[ties]
        some = rng.integers(0, members, 50)
        assert [ranking.rank(slot) for slot in some[:5].tolist()] == expected[some[:5]].tolist()
        assert ranking.ranks(some).tolist() == expected[some].tolist()
        assert ranking.slots(0, 20).tolist() == order[:20].tolist()
        assert ranking.ranks(np.arange(members)).tolist() == expected.tolist()
        assert ranking.slots(members - 2_000, 3_000).tolist() == order[members - 2_000 :].tolist()
        assert ranking.ordered().tolist() == order.tolist()


def test_rising_and_falling_scores_leave_no_near_empty_blocks() -> None:
    ranking = Ranking(descending=True, ties="first")
    members = 20_000
    place_all(ranking, range(members), range(members))
    rng = np.random.default_rng(5)
    for round_number in range(1_500):
        place_all(ranking, rng.integers(0, members, 50), np.arange(50) + members + 50 * round_number)
        ranking.slots(0, 1)
    blocks = ranking._order._blocks
    assert blocks is not None
    assert len(blocks._keys) <= members / ranking_blocks.SHORTEST
    assert max(map(len, blocks._keys)) <= ranking_blocks.LONGEST
    assert sum(map(len, blocks._keys)) == members


def test_renumbering_keeps_hidden_members_in_their_place() -> None:
    ranking = Ranking(descending=True, ties="first", tie_limit=6)
    place_all(ranking, [0, 1, 2], [5, 5, 5])
    ranking.hide(1)
    for score in range(10, 30):  # more placements than ties
        ranking.place(3, score)
    ranking.show(1)
    assert ranking.slots(0, 9).tolist() == [3, 0, 1, 2]
    assert ranking._next_tie <= 6


def test_more_members_than_ties_is_an_error() -> None:
    ranking = Ranking(descending=True, ties="first", tie_limit=2)
    place_all(ranking, [0, 1], [5, 5])
    with pytest.raises(OverflowError, match="fewer than 2 members"):
        ranking.place(2, 5)
    assert ranking.ordered().tolist() == [0, 1]


def test_scores_out_of_range_place_nothing() -> None:
    ranking = Ranking(descending=True, ties="first")
    with pytest.raises(ScoreValueError):
        ranking.place(0, MAX_HUNDREDTHS + 1)
    with pytest.raises(ScoreValueError):
        ranking.place(0, -MAX_HUNDREDTHS - 1)
    with pytest.raises(IndexError):
        ranking.place(-1, 1)
    assert len(ranking) == 0
    assert ranking.ordered().tolist() == []


def test_bad_rules_are_errors() -> None:
    with pytest.raises(ValueError, match="ties"):
        Ranking(descending=True, ties="last")
    with pytest.raises(ValueError, match="tie limit"):
        Ranking(descending=True, ties="first", tie_limit=0)


def test_a_score_of_none_is_an_error_in_bulk() -> None:
    ranking = Ranking(descending=True, ties="first")
    ranking.place(0, 7)
    with pytest.raises(IndexError, match="have a score"):
        ranking.scores_of([0, 1])


@pytest.mark.parametrize(
    ("slots", "scores", "hidden", "error"),
    [
        ([0, 1], [1, 2], [False, False], ValueError),  # not in descending order
        ([0, 0], [2, 1], [False, False], IndexError),
        ([0, -1], [2, 1], [False, False], IndexError),
        ([0, 1], [2], [False, False], ValueError),
        ([0, 1], [MAX_HUNDREDTHS + 1, 1], [False, False], ScoreValueError),
    ],
)
def test_damaged_rows_are_not_restored(
    slots: list[int], scores: list[int], hidden: list[bool], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Ranking.restore(descending=True, ties="first", slots=slots, scores=scores, hidden=hidden)


def test_bytes_a_member() -> None:
    members = 100_000
    tracemalloc.start()
    ranking = Ranking(descending=True, ties="first")
    rng = np.random.default_rng(3)
    place_all(ranking, range(members), rng.integers(0, 10_000_000, members))
    place_all(ranking, rng.integers(0, members, 100), rng.integers(0, 10_000_000, 100))
    ranking.slots(0, 20)
    ranking.ranks(range(members))  # now both forms are there
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert 20 * members < held < 60 * members
