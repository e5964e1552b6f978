from __future__ import annotations

from random import Random

import numpy as np
import pytest

from actors.domain.ranking.flat import FlatOrder
from actors.domain.ranking.keys import TIE_BITS


def flat_of(keys: dict[int, int]) -> FlatOrder:
    ordered = sorted(keys)
    return FlatOrder(np.array(ordered, np.int64), np.array([keys[key] for key in ordered], np.int32))


def content(flat: FlatOrder) -> dict[int, int]:
    keys = flat.keys.tolist()
    assert keys == sorted(set(keys))
    return dict(zip(keys, flat.slots.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_a_merge_is_what_a_sorted_dict_makes(seed: int) -> None:
    r = Random(seed)
    keys = {key: slot for slot, key in enumerate(r.sample(range(-60, 60), r.choice([0, 1, 5, 60])))}
    before = flat_of(keys)
    removed = sorted(r.sample(sorted(keys), r.randint(0, len(keys))))
    kept = {key: slot for key, slot in keys.items() if key not in removed}
    added = sorted(
        r.sample([key for key in range(-70, 70) if key not in kept], r.choice([0, 1, 20]))
    )  # also removed ones
    slots = [1000 + n for n in range(len(added))]
    merged = before.merged(np.array(removed, np.int64), np.array(added, np.int64), np.array(slots, np.int32))
    assert content(merged) == kept | dict(zip(added, slots, strict=True))
    assert content(before) == keys  # never changed in place


@pytest.mark.parametrize("key", [-100, -3, -2, 0, 7, 8, 100])
def test_counts_below(key: int) -> None:
    flat = flat_of({-3: 0, 0: 1, 7: 2})
    expected = sum(each < key for each in (-3, 0, 7))
    assert flat.count_below(key) == expected
    assert flat.counts_below(np.array([key, key], np.int64)).tolist() == [expected] * 2


def test_rows_are_a_copy() -> None:
    flat = flat_of({1: 10, 2: 20, 3: 30})
    rows = flat.rows(1, 3)
    assert rows.tolist() == [20, 30]
    rows[0] = 99
    assert flat.slots.tolist() == [10, 20, 30]


def test_distinct_marks_before_a_position() -> None:
    marks = [5, 5, 6, 9, 9, 9, 12]
    flat = FlatOrder(
        np.array([(mark << TIE_BITS) | n for n, mark in enumerate(marks)], np.int64), np.arange(7, dtype=np.int32)
    )
    begins = [0, 2, 3, 6]
    assert flat.distinct_before(np.array(begins, np.int64)).tolist() == [len(set(marks[:at])) for at in begins]
    assert flat.distinct_before(np.array([len(marks)], np.int64)).tolist() == [4]


@pytest.mark.parametrize("members", [0, 1])
def test_an_order_of_nobody_or_one(members: int) -> None:
    flat = flat_of({5: 0} if members else {})
    assert len(flat) == members
    assert flat.distinct_before(np.array([0, members], np.int64)).tolist() == [0, members]
    assert flat.rows(0, members).tolist() == [0] * members
