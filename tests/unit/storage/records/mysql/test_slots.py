"""Slots: fixed for ever, evenly used, and checked against the shards that there are."""

from __future__ import annotations

import random

import pytest

from storage.ports import StorageError
from storage.records.mysql.slots import SLOTS, check_slots, even, slot_of


def test_a_slot_never_changes() -> None:
    """Stored rows lie where these say: another function would lose them."""
    ids = [1, 2, 3, 1_000, 2**31, 2**62 + 12_345, 2**63 - 1]
    assert [slot_of(number) for number in ids] == [721, 234, 45, 700, 910, 778, 686]


@pytest.mark.parametrize("kind", ["random", "counted", "even", "high"])
def test_slots_are_used_evenly(kind: str) -> None:
    """Within five standard deviations of what chance gives, whatever the ids look like."""
    rng = random.Random(5)
    count = 64 * SLOTS
    ids = {
        "random": lambda _: rng.getrandbits(63),
        "counted": lambda i: i,
        "even": lambda i: 1_024 * i,
        "high": lambda i: i << 40,
    }[kind]
    used = [0] * SLOTS
    for i in range(count):
        used[slot_of(ids(i))] += 1
    assert all(abs(n - 64) < 5 * 8 for n in used)


@pytest.mark.parametrize("shards", [1, 2, 3, 7, SLOTS])
def test_new_installations_spread_slots_evenly(shards: int) -> None:
    slots = even(shards)
    counts = [slots.count(shard) for shard in range(shards)]
    assert sum(counts) == SLOTS
    assert max(counts) - min(counts) <= 1
    assert list(slots) == sorted(slots)


def test_slots_without_a_shard_are_told() -> None:
    check_slots(even(2), 2)
    check_slots(even(2), 3)
    with pytest.raises(StorageError, match=r"shards \[1\], but addresses are configured of 1 shards"):
        check_slots(even(2), 1)
    with pytest.raises(StorageError, match="expected 1024 slots"):
        check_slots(even(2)[1:], 2)
