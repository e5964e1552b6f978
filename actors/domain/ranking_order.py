"""An order that changes late: moves wait in a list, and whoever counts corrects for them."""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.domain.ranking_blocks import BlockOrder
from actors.domain.ranking_flat import FlatOrder

NO_KEY: Final = 2**63 - 1  # stands for "not in the order"; above every key, so that it never counts as smaller
_FEWEST_WAITING: Final = 256  # below it a settlement's fixed cost, about 0.1 ms, would dominate
_MOST_WAITING: Final = 4096
_HUGE: Final = 2_000_000  # members from which fewer changes wait, to keep the pause of a settlement short
_MOST_WAITING_HUGE: Final = 1024
_MERGE_RATIO: Final = 256  # one change to the blocks costs as much as merging some 256 members or more (measured)


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
        self._slots = array("i")
        self._before = array("q")
        self._after = array("q")
        self._most_waiting = self._waiting_limit()

    def move(self, slot: int, before: int, after: int) -> None:
        """Note one move."""
        self._slots.append(slot)
        self._before.append(before)
        self._after.append(after)
        if len(self._slots) >= self._most_waiting:
            self.settle()

    def move_many(self, slots: NDArray[np.int32], before: NDArray[np.int64], after: NDArray[np.int64]) -> None:
        """Note the moves of many slots, one after the other."""
        self._slots.frombytes(slots.tobytes())
        self._before.frombytes(before.tobytes())
        self._after.frombytes(after.tobytes())
        if len(self._slots) >= self._most_waiting:
            self.settle()

    def settle(self) -> None:
        """Bring all moves into the settled order."""
        if not self._slots:
            return
        removed, added, added_slots = self._net_moves()
        self._slots, self._before, self._after = array("i"), array("q"), array("q")
        if max(len(removed), len(added)) * _MERGE_RATIO > self._size:
            self._flat = self.flat().merged(removed, added, added_slots)
            self._blocks = None
        else:
            if self._blocks is None:
                self._blocks = BlockOrder(self.flat())
            for key in removed.tolist():
                self._blocks.remove(key)
            for key, slot in zip(added.tolist(), added_slots.tolist(), strict=True):
                self._blocks.add(key, slot)
            self._flat = None
        self._size += len(added) - len(removed)
        self._most_waiting = self._waiting_limit()

    def count_below(self, key: int) -> int:
        """How many keys are smaller than `key`."""
        count = self._form().count_below(key)
        if self._slots:
            count += int(np.count_nonzero(np.frombuffer(self._after, np.int64) < key))
            count -= int(np.count_nonzero(np.frombuffer(self._before, np.int64) < key))
        return count

    def counts_below(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many keys are smaller than each of `keys`."""
        if self._flat is None and len(keys) * _MERGE_RATIO > self._size:
            self.flat()
        counts = self._form().counts_below(keys)
        if self._slots:
            counts += np.sort(np.frombuffer(self._after, np.int64)).searchsorted(keys)
            counts -= np.sort(np.frombuffer(self._before, np.int64)).searchsorted(keys)
        return counts

    def distinct_below(self, floors: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many distinct marks are smaller than that of each of `floors`: keys with tie 0 of marks that are present."""
        self.settle()
        return self.flat().distinct_before(self.flat().counts_below(floors))

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """The slots at positions start .. stop-1, which must exist."""
        self.settle()
        return self._form().rows(start, stop)

    def key_at(self, position: int) -> int:
        """The key at a position, which must exist."""
        self.settle()
        return self._form().key_at(position)

    def flat(self) -> FlatOrder:
        """The settled order in its flat form, without the moves that wait."""
        if self._flat is None:
            assert self._blocks is not None, "one of the two forms is always there"
            self._flat = self._blocks.flat()
        return self._flat

    def nbytes(self) -> int:
        """Bytes held."""
        forms = [form.nbytes() for form in (self._flat, self._blocks) if form is not None]
        return sum(forms) + sum(moves.__sizeof__() for moves in (self._slots, self._before, self._after))

    def _form(self) -> FlatOrder | BlockOrder:
        return self._blocks if self._flat is None and self._blocks is not None else self.flat()

    def _waiting_limit(self) -> int:
        if self._size > _HUGE:
            return _MOST_WAITING_HUGE
        return max(_FEWEST_WAITING, min(_MOST_WAITING, self._size))

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
        moved = before != after
        removed = np.sort(before[moved & (before != NO_KEY)])
        arriving = moved & (after != NO_KEY)
        added, added_slots = after[arriving], slots[arriving]
        by_key = added.argsort()
        return removed, added[by_key], added_slots[by_key]
