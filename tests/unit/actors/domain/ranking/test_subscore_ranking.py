"""The ranking with subscores against a list that is sorted anew for every question."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.domain.errors import ScoreValueError
from actors.domain.ranking import order as ranking_order
from actors.domain.ranking import subscore_ranking as tested
from actors.domain.ranking.ranking import Ranking
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.values import MAX_HUNDREDTHS

SLOTS = 40
TIES = ("first", "shared", "dense")
few = st.one_of(st.integers(-1, 2), st.sampled_from([-MAX_HUNDREDTHS, MAX_HUNDREDTHS]))
slot_ids = st.integers(0, SLOTS - 1)


class SortedPairs:
    """The model: each member has a score, a subscore, the time both were reached, and may be hidden."""

    def __init__(self, descending: bool, subscore_descending: bool, ties: str) -> None:
        self.signs = (-1 if descending else 1, -1 if subscore_descending else 1)
        self.ties = ties
        self.members: dict[int, tuple[int, int, int]] = {}
        self.hidden: set[int] = set()
        self.time = 0

    def place(self, slot: int, score: int, subscore: int) -> None:
        if self.members.get(slot, (None, None))[:2] != (score, subscore):
            self.members[slot] = score, subscore, self.time
        self.time += 1

    def worth(self, slot: int) -> tuple[int, int]:
        score, subscore, _ = self.members[slot]
        return self.signs[0] * score, self.signs[1] * subscore

    def ordered(self) -> list[int]:
        return sorted(self.members, key=lambda slot: (self.worth(slot), self.members[slot][2]))

    def table(self) -> list[int]:
        return [slot for slot in self.ordered() if slot not in self.hidden]

    def better(self, slot: int) -> list[tuple[int, int]]:
        return [self.worth(other) for other in self.table() if self.worth(other) < self.worth(slot)]

    def rank(self, slot: int) -> int | None:
        table = self.table()
        if slot not in table:
            return None
        if self.ties == "first":
            return 1 + table.index(slot)
        better = self.better(slot)
        return 1 + len(better if self.ties == "shared" else set(better))

    def ranks_among(self, listed: list[int]) -> list[int]:
        worths = [self.worth(slot) for slot in listed]
        if self.ties == "first":
            return list(range(1, len(listed) + 1))
        better = [[other for other in worths if other < worth] for worth in worths]
        return [1 + len(each if self.ties == "shared" else set(each)) for each in better]

    def percentile(self, slot: int) -> float | None:
        table = self.table()
        return 100.0 * (len(table) - len(self.better(slot))) / len(table) if slot in table else None


def assert_equal(ranking: SubscoreRanking, model: SortedPairs) -> None:
    table, ordered = model.table(), model.ordered()
    slots = range(-1, SLOTS + 30)
    assert ranking.slots(0, len(table) + 1).tolist() == table
    assert [ranking.slots(at, 3).tolist() for at in range(len(table))] == [table[i : i + 3] for i in range(len(table))]
    assert [ranking.rank(slot) for slot in slots] == [model.rank(slot) for slot in slots]
    assert ranking.ranks(list(slots)).tolist() == [model.rank(slot) or 0 for slot in slots]
    assert [ranking.percentile(slot) for slot in slots] == [model.percentile(slot) for slot in slots]
    assert [ranking.position(slot) for slot in table] == list(range(len(table)))
    assert len(ranking) == len(table)
    assert [ranking.score(slot) for slot in slots] == [model.members.get(slot, (None,))[0] for slot in slots]
    assert [ranking.subscore(slot) for slot in slots] == [model.members.get(s, (None, None))[1] for s in slots]
    assert ranking.subscores_of(ordered).tolist() == [model.members[slot][1] for slot in ordered]
    assert ranking.ordered().tolist() == ordered
    listed = sorted(table, key=lambda s: (ranking.keys_of([s])[0] >> 29, ranking.submarks_of([s])[0], ranking.keys_of([s])[0]))  # fmt: skip
    assert listed == table  # what a read model orders by
    assert ranking.slots(0, len(table)).tolist() == table
    some = list(range(0, SLOTS, 2))
    listed = [slot for slot in table if slot in some]
    among = model.ranks_among(listed)
    assert ranking.sorted_of(some).tolist() == listed
    assert ranking.ranks_among(np.array(listed, np.int32)).tolist() == among
    assert [ranking.rank_among(slot, some) for slot in listed] == among
    assert all(ranking.rank_among(slot, some) is None for slot in some if slot not in listed)


def restored(ranking: SubscoreRanking, model: SortedPairs) -> SubscoreRanking:
    ordered = ranking.ordered()
    return SubscoreRanking.restore_pairs(
        descending=model.signs[0] < 0,
        subscore_descending=model.signs[1] < 0,
        ties=model.ties,
        slots=ordered,
        scores=ranking.scores_of(ordered),
        subscores=ranking.subscores_of(ordered),
        hidden=np.array([slot in model.hidden for slot in ordered.tolist()], np.bool_),
    )


class SubscoreMachine(RuleBasedStateMachine):
    """Any sequence of writes, with reads, restores and renumberings between."""

    @initialize(
        descending=st.booleans(), second=st.booleans(), ties=st.sampled_from(TIES), spare=st.sampled_from([1, 7, 4096])
    )
    def start(self, descending: bool, second: bool, ties: str, spare: int) -> None:
        self.model = SortedPairs(descending, second, ties)
        self.ranking = SubscoreRanking(
            descending=descending, subscore_descending=second, ties=ties, tie_limit=SLOTS + spare
        )

    @rule(slot=slot_ids, score=few, subscore=few)
    def place(self, slot: int, score: int, subscore: int) -> None:
        self.ranking.place(slot, score, subscore)
        self.model.place(slot, score, subscore)

    @rule(slots=st.lists(slot_ids, max_size=12), score=few)
    def place_many(self, slots: list[int], score: int) -> None:
        for at, slot in enumerate(slots):
            self.place(slot, score, at % 3)

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


@pytest.mark.parametrize("in_bulk", [0, 1 << 20], ids=["sorted", "looked up"])
def test_any_history_equals_the_sorted_list(in_bulk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "_IN_BULK", in_bulk)
    monkeypatch.setattr(ranking_order, "_MERGE_RATIO", 4)
    monkeypatch.setattr(ranking_order, "_MERGE_FIXED", 0)
    monkeypatch.setattr(ranking_order, "_FEWEST_WAITING", 24)
    monkeypatch.setattr(ranking_order, "_MOST_WAITING", 24)
    SubscoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
    SubscoreMachine.TestCase("runTest").runTest()


@pytest.mark.parametrize(("descending", "second", "ties"), [(True, False, "first"), (False, True, "shared"), (True, True, "dense")])  # fmt: skip
def test_many_members_in_batches(descending: bool, second: bool, ties: str) -> None:
    members, rng = 5_000, np.random.default_rng(1)
    ranking = SubscoreRanking(descending=descending, subscore_descending=second, ties=ties)
    scores, subscores, times = np.zeros(members, np.int64), np.zeros(members, np.int64), np.full(members, -1)
    time = itertools.count()
    for size in (members, 1, 40, 700):
        slots = rng.permutation(members)[:size].tolist()
        for slot, score, subscore in zip(slots, rng.integers(0, 20, size), rng.integers(0, 9, size), strict=True):
            ranking.place(slot, int(score), int(subscore))
            now = next(time)
            if times[slot] < 0 or (scores[slot], subscores[slot]) != (score, subscore):
                scores[slot], subscores[slot], times[slot] = score, subscore, now
        marks, submarks = -scores if descending else scores, -subscores if second else subscores
        order = np.lexsort((times, submarks, marks))
        pairs = marks * 1000 + submarks
        expected = {
            "first": order.argsort() + 1,
            "shared": np.searchsorted(pairs[order], pairs) + 1,
            "dense": np.searchsorted(np.unique(pairs), pairs) + 1,
        }[ties]
        some = rng.integers(0, members, 50)
        assert [ranking.rank(slot) for slot in some.tolist()] == expected[some].tolist()
        assert ranking.slots(100, 60).tolist() == order[100:160].tolist()
        assert ranking.ranks(np.arange(members)).tolist() == expected.tolist()
        assert ranking.ordered().tolist() == order.tolist()


def test_without_subscores_it_is_a_ranking() -> None:
    plain, other = Ranking(descending=True, ties="shared"), SubscoreRanking(descending=True, ties="shared")
    rng = np.random.default_rng(3)
    for slot, score in zip(rng.integers(0, 50, 400).tolist(), rng.integers(0, 9, 400).tolist(), strict=True):
        plain.place(slot, score)
        other.place(slot, score)
    assert plain.ordered().tolist() == other.ordered().tolist()
    assert plain.ranks(range(50)).tolist() == other.ranks(range(50)).tolist()


def test_numbers_out_of_range_place_nothing() -> None:
    ranking = SubscoreRanking(descending=True, ties="first")
    for score, subscore in ((MAX_HUNDREDTHS + 1, 0), (0, MAX_HUNDREDTHS + 1), (0, -MAX_HUNDREDTHS - 1)):
        with pytest.raises(ScoreValueError):
            ranking.place(0, score, subscore)
    with pytest.raises(IndexError):
        ranking.place(-1, 1, 1)
    assert (len(ranking), ranking.subscore(0), ranking.ordered().tolist()) == (0, None, [])
    with pytest.raises(IndexError, match="have a score"):
        ranking.subscores_of([0])


@pytest.mark.parametrize(
    ("slots", "scores", "subscores", "error"),
    [
        ([0, 1], [1, 1], [2, 1], ValueError),  # not in ascending order
        ([0, 1], [1, 2], [0, 0], ValueError),  # not in descending order
        ([0, 1], [1, 1], [2], ValueError),
        ([0, 0], [1, 1], [1, 2], IndexError),
        ([0, -1], [1, 1], [1, 2], IndexError),
        ([0, 1], [1, 1], [1, MAX_HUNDREDTHS + 1], ScoreValueError),
    ],
)
def test_damaged_rows_are_not_restored(
    slots: list[int], scores: list[int], subscores: list[int], error: type[Exception]
) -> None:
    with pytest.raises(error):
        SubscoreRanking.restore_pairs(
            descending=True, subscore_descending=False, ties="first",
            slots=slots, scores=scores, subscores=subscores, hidden=[False, False],
        )  # fmt: skip


def test_bytes_a_member() -> None:
    members, scores = 50_000, 1_000
    tracemalloc.start()
    ranking = SubscoreRanking(descending=True, ties="first")
    rng = np.random.default_rng(3)
    for slot, (score, subscore) in enumerate(rng.integers(0, scores, (members, 2)).tolist()):
        ranking.place(slot, score, subscore)
    ranking.slots(0, 20)
    ranking.ranks([1])
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 85 * members + 600 * scores
