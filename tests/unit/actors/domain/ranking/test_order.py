"""Moves that wait are counted right, however many and in whichever form the order is. The ranking over it is in test_ranking.py."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from actors.domain.ranking import order as module
from actors.domain.ranking.flat import FlatOrder
from actors.domain.ranking.keys import NO_KEY, TIE_BITS, floor
from actors.domain.ranking.order import LateOrder


def order_of(keys: list[int]) -> LateOrder:
    flat = FlatOrder(np.sort(np.array(keys, np.int64)), np.argsort(np.array(keys, np.int64)).astype(np.int32))
    return LateOrder(flat)


@pytest.mark.parametrize("merge_ratio", [0, 1 << 20], ids=["blocks", "flat"])
@pytest.mark.parametrize("seed", range(6))
def test_counts_while_moves_wait_are_those_after(seed: int, merge_ratio: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MERGE_RATIO", merge_ratio)
    monkeypatch.setattr(module, "_MERGE_FIXED", 0)
    monkeypatch.setattr(module, "_LONGEST_TAIL", 5)  # sorted moves and a tail behind them
    r = Random(seed)
    keys = r.sample(range(-10_000, 10_000), 60)
    order = order_of(keys)
    fresh = iter(r.sample([n for n in range(-10_000, 10_000) if n not in keys], 200))
    for _ in range(120):
        slot = r.randrange(60)
        after = NO_KEY if r.random() < 0.2 else next(fresh)
        if (keys[slot], after) == (NO_KEY, NO_KEY):
            continue
        order.move(slot, keys[slot], after)
        keys[slot] = after
        key = r.randrange(-10_000, 10_000)
        assert order.count_below(key) == sum(each < key for each in keys)
        if r.random() < 0.1:
            asked = [key, -(10**6), 10**6]
            assert order.counts_below(np.array(asked, np.int64)).tolist() == [sum(k < a for k in keys) for a in asked]
        if r.random() < 0.1:
            there = sorted((key, slot) for slot, key in enumerate(keys) if key != NO_KEY)
            assert order.rows(0, len(there)).tolist() == [slot for _, slot in there]


def test_a_slot_that_moves_there_and_back_leaves_no_trace() -> None:
    order = order_of([10, 20, 30])
    for before, after in ((20, 5), (5, 40), (40, NO_KEY), (NO_KEY, 20)):
        order.move(1, before, after)
    order.settle()
    assert order.flat().keys.tolist() == [10, 20, 30]
    assert order.rows(0, 3).tolist() == [0, 1, 2]


def test_moves_wait_within_a_bound() -> None:
    order = order_of(list(range(100)))
    for n in range(module._FEWEST_WAITING - 1):
        order.move(n % 100, n if n < 100 else 1000 + n - 100, 1000 + n)
    assert len(order._slots) == module._FEWEST_WAITING - 1
    order.move(55, 1000 + 155, 5000)
    assert len(order._slots) == 0
    assert order.flat().keys[99] == 5000


def test_few_changes_of_many_members_go_to_blocks_and_many_are_merged() -> None:
    members = 50_000
    order = order_of(list(range(members)))
    order.move(0, 0, members)
    order.settle()
    assert order._flat is None
    assert order.rows(0, 2).tolist() == [1, 2]
    for slot in range(1, 1000):
        order.move(slot, slot, members + slot)
    order.settle()
    assert order._blocks is None
    assert order.rows(members - 1, members).tolist() == [999]


def test_distinct_marks_below() -> None:
    marks = [3, 3, 5, 8, 8]
    order = order_of([(mark << TIE_BITS) | n for n, mark in enumerate(marks)])
    order.move(2, (5 << TIE_BITS) | 2, (8 << TIE_BITS) | 9)
    floors = np.array([floor(mark << TIE_BITS) for mark in (3, 8)], np.int64)
    assert order.distinct_below(floors).tolist() == [0, 1]
