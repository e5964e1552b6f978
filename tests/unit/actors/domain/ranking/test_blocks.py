from __future__ import annotations

from random import Random

import numpy as np
import pytest

from actors.domain.ranking import blocks as module
from actors.domain.ranking.blocks import FILL, LONGEST, SHORTEST, BlockOrder
from actors.domain.ranking.flat import FlatOrder


def blocks_of(keys: list[int]) -> BlockOrder:
    return BlockOrder(FlatOrder(np.array(keys, np.int64), np.array([slot_of(key) for key in keys], np.int32)))


def slot_of(key: int) -> int:
    return key % 100_003


def check(blocks: BlockOrder, keys: list[int]) -> None:
    """The order is that of the sorted list, and the blocks are as the class says."""
    flat = blocks.flat()
    assert flat.keys.tolist() == keys
    assert flat.slots.tolist() == [slot_of(key) for key in keys]
    assert list(blocks._lengths) == [len(block) for block in blocks._keys]
    assert max(blocks._lengths) <= module.LONGEST
    assert list(blocks._bounds) == sorted(blocks._bounds)
    for bound, block in zip(blocks._bounds, blocks._keys, strict=True):
        assert all(key >= bound for key in block)
    asked = [-(10**9), *(key + d for key in keys[:: max(1, len(keys) // 20)] for d in (-1, 0, 1)), 10**9]
    below = [sum(key < each for key in keys) for each in asked]
    assert [blocks.count_below(key) for key in asked] == below
    assert blocks.counts_below(np.array(asked, np.int64)).tolist() == below
    for start, stop in ((0, 0), (0, len(keys)), (len(keys) // 3, len(keys) // 2), (max(0, len(keys) - 1), len(keys))):
        assert blocks.rows(start, stop).tolist() == [slot_of(key) for key in keys[start:stop]]


@pytest.mark.parametrize("seed", range(12))
def test_any_changes_keep_the_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LONGEST", 8), ("SHORTEST", 2), ("FILL", 4)):
        monkeypatch.setattr(module, name, value)
    r = Random(seed)
    keys = sorted(r.sample(range(-1000, 1000), r.choice([0, 1, 4, 50])))
    blocks = blocks_of(keys)
    check(blocks, keys)
    for _ in range(40):
        if keys and r.random() < 0.5:
            key = r.choice(keys)
            keys.remove(key)
            blocks.remove(key)
        else:
            key = r.choice([n for n in range(-1100, 1100) if n not in keys])
            keys = sorted([*keys, key])
            blocks.add(key, slot_of(key))
        check(blocks, keys)
    for key in r.sample(keys, len(keys)):
        blocks.remove(key)
    check(blocks, [])
    blocks.add(5, slot_of(5))
    check(blocks, [5])


def test_a_block_that_is_too_long_is_split_in_halves() -> None:
    blocks = blocks_of(list(range(FILL)))
    for key in range(FILL, LONGEST):
        blocks.add(key, slot_of(key))
    assert list(blocks._lengths) == [LONGEST]
    blocks.add(LONGEST, slot_of(LONGEST))
    assert list(blocks._lengths) == [LONGEST // 2, LONGEST // 2 + 1]
    check(blocks, list(range(LONGEST + 1)))


def test_a_block_that_is_too_short_is_joined_to_its_shorter_neighbour() -> None:
    blocks = blocks_of(list(range(3 * FILL)))
    for key in range(2 * FILL, 2 * FILL + 400):  # now the third is the shorter one
        blocks.remove(key)
    first_kept = FILL + (FILL - SHORTEST) + 1
    for key in range(FILL, first_kept - 1):
        blocks.remove(key)
    assert list(blocks._lengths) == [FILL, SHORTEST, FILL - 400]
    blocks.remove(first_kept - 1)
    assert list(blocks._lengths) == [FILL, SHORTEST - 1 + FILL - 400]
    check(blocks, [*range(FILL), *range(first_kept, 2 * FILL), *range(2 * FILL + 400, 3 * FILL)])


def test_two_that_would_soon_be_split_again_are_not_joined() -> None:
    blocks = blocks_of(list(range(2 * FILL)))
    gone = FILL - SHORTEST + 1
    for key in range(gone):
        blocks.remove(key)
    assert list(blocks._lengths) == [SHORTEST - 1, FILL]
    for key in range(gone, FILL):  # but one that is empty always is
        blocks.remove(key)
    assert list(blocks._lengths) == [FILL]
    check(blocks, list(range(FILL, 2 * FILL)))


def test_new_blocks_have_room_to_grow() -> None:
    assert SHORTEST < FILL < LONGEST * 3 // 4
    assert list(blocks_of(list(range(2 * FILL + 1)))._lengths) == [FILL, FILL, 1]
