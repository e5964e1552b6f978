"""An order that changes late: moves wait in a list, and whoever counts corrects for them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.domain.ranking.blocks import BlockOrder
from actors.domain.ranking.flat import FlatOrder
from actors.domain.ranking.keys import NO_KEY

# Measured: one move in blocks costs as much as merging 256 members, and a merge as much again as 10,000 members.
_MERGE_RATIO: Final = 256
_MERGE_FIXED: Final = 10_240
_FEWEST_WAITING: Final = 256  # below it a settlement's fixed cost, about 0.1 ms, would dominate
_MOST_WAITING: Final = 8192  # times _MERGE_RATIO this is _HUGE: up to there a full list is always merged
_HUGE: Final = 2_000_000  # members from which fewer moves wait and blocks take them, so that the pause stays short
_MOST_WAITING_HUGE: Final = 1024
_LONGEST_TAIL: Final = 256  # waiting moves that are counted one by one before all are sorted again


class LateOrder:
    """Slots ordered by distinct int64 keys. A move is (slot, key before, key after), NO_KEY meaning outside.

    The settled order has two forms, each derived from the other when needed: blocks (cheap few changes) and flat
    (cheap many, vectorised reads). Moves wait until there are enough of them, or until rows are read; a count corrects
    itself for those waiting. A slot may move several times: between, its keys cancel out.
    """

    def __init__(self, flat: FlatOrder) -> None:
        self._flat: FlatOrder | None = flat
        self._blocks: BlockOrder | None = None
        self._size = len(flat)
        self._clear_moves()

    def move(self, slot: int, before: int, after: int) -> None:
        """Note one move."""
        self._slots.append(slot)
        self._before.append(before)
        self._after.append(after)
        if len(self._slots) >= self._most_waiting:
            self.settle()

    def settle(self) -> None:
        """Bring all moves into the settled order."""
        if not self._slots:
            return
        if len(self._slots) * _MERGE_RATIO > self._size + _MERGE_FIXED:
            removed, added, added_slots = self._net_moves()
            self._flat = self.flat().merged(removed, added, added_slots)
            self._blocks = None
            self._size = len(self._flat)
        else:
            self._blocks = blocks = self._blocks or BlockOrder(self.flat())
            self._flat = None
            for slot, before, after in zip(self._slots, self._before, self._after, strict=True):
                if before != NO_KEY:
                    blocks.remove(before)
                    self._size -= 1
                if after != NO_KEY:
                    blocks.add(after, slot)
                    self._size += 1
        self._clear_moves()

    def count_below(self, key: int) -> int:
        """How many keys are smaller than `key`."""
        count = self._form().count_below(key)
        if self._slots:
            before, after = self._sorted_moves()
            count += bisect_left(after.data, key) - bisect_left(before.data, key)
            if len(after) < len(self._after):
                count += int(np.count_nonzero(np.frombuffer(self._after, np.int64)[len(after) :] < key))
                count -= int(np.count_nonzero(np.frombuffer(self._before, np.int64)[len(before) :] < key))
        return count

    def counts_below(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many keys are smaller than each of `keys`."""
        if self._flat is None and len(keys) * _MERGE_RATIO > self._size:
            self.flat()
        counts = self._form().counts_below(keys)
        if self._slots:
            before, after = self._sorted_moves()
            counts += after.searchsorted(keys)
            counts -= before.searchsorted(keys)
            if len(after) < len(self._after):
                counts += np.sort(np.frombuffer(self._after, np.int64)[len(after) :]).searchsorted(keys)
                counts -= np.sort(np.frombuffer(self._before, np.int64)[len(before) :]).searchsorted(keys)
        return counts

    def distinct_below(self, floors: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many distinct marks are smaller than that of each of `floors`: keys with tie 0 of marks that are present."""
        self.settle()
        return self.flat().distinct_before(self.flat().counts_below(floors))

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """The slots at positions start .. stop-1, which must exist."""
        self.settle()
        return self._form().rows(start, stop)

    def flat(self) -> FlatOrder:
        """The settled order in its flat form, without the moves that wait."""
        if self._flat is None:
            assert self._blocks is not None, "one of the two forms is always there"
            self._flat = self._blocks.flat()
        return self._flat

    def _form(self) -> FlatOrder | BlockOrder:
        return self._blocks if self._flat is None and self._blocks is not None else self.flat()

    def _clear_moves(self) -> None:
        self._slots = array("i")
        self._before = array("q")
        self._after = array("q")
        self._sorted = np.empty(0, np.int64), np.empty(0, np.int64)
        if self._size > _HUGE:
            self._most_waiting = _MOST_WAITING_HUGE
        else:
            self._most_waiting = max(_FEWEST_WAITING, min(_MOST_WAITING, self._size))

    def _sorted_moves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The keys before and after the waiting moves, sorted, of all but the last _LONGEST_TAIL at most."""
        if len(self._slots) - len(self._sorted[0]) > _LONGEST_TAIL:
            self._sorted = np.sort(np.frombuffer(self._before, np.int64)), np.sort(np.frombuffer(self._after, np.int64))
        return self._sorted

    def _net_moves(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """The keys to remove, ascending, and those to add, ascending, with their slots."""
        # Sorted by slot, then by time: a slot leaves the key before its first move and gets the one after its last.
        by_slot = np.frombuffer(self._slots, np.int32).astype(np.int64) << 32
        by_slot |= np.arange(len(by_slot))
        by_slot.sort()
        slots, moves = (by_slot >> 32).astype(np.int32), by_slot & 0xFFFFFFFF
        edges = np.flatnonzero(slots[1:] != slots[:-1])
        before = np.frombuffer(self._before, np.int64)[moves[np.concatenate(([0], edges + 1))]]
        after = np.frombuffer(self._after, np.int64)[moves[np.concatenate((edges, [len(moves) - 1]))]]
        slots = slots[np.concatenate((edges, [len(moves) - 1]))]
        removed = np.sort(before[before != NO_KEY])
        arriving = after != NO_KEY
        added, added_slots = after[arriving], slots[arriving]
        by_key = added.argsort()
        return removed, added[by_key], added_slots[by_key]
