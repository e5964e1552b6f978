"""The flat form of an order: two parallel arrays, merged in bulk and searched by whole batches."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from actors.domain.ranking.keys import TIE_BITS


class FlatOrder:
    """`keys` (int64, ascending, distinct) and the `slots` (int32) that hold them. Never changed in place.

    Cheap in bulk: a merge costs about 5 ns a member plus 0.2 us a change, a search 0.1-0.3 us a key.
    """

    def __init__(self, keys: NDArray[np.int64], slots: NDArray[np.int32]) -> None:
        self.keys = keys
        self.slots = slots
        self._keys_view = keys.data  # bisecting it finds one key three times as fast as NumPy
        self._distinct: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def merged(self, removed: NDArray[np.int64], added: NDArray[np.int64], added_slots: NDArray[np.int32]) -> FlatOrder:
        """This order without the keys `removed` (ascending, all present) and with `added` (ascending, then absent).

        Only the window between the first and the last change is rebuilt by masks; the rest is copied.
        """
        gone = np.searchsorted(self.keys, removed)
        at = np.searchsorted(self.keys, added)
        low = min((int(places[0]) for places in (gone, at) if len(places)), default=0)
        high = max(int(gone[-1]) + 1 if len(gone) else 0, int(at[-1]) if len(at) else 0)
        kept = np.ones(high - low, np.bool_)
        kept[gone - low] = False
        size = len(self.keys) + len(added) - len(removed)
        tail = size - (len(self.keys) - high)
        # An added key stands behind the kept ones below it and the added ones before it.
        at += np.arange(len(added)) - np.searchsorted(removed, added)
        old = np.ones(tail - low, np.bool_)
        old[at - low] = False
        keys = np.empty(size, np.int64)
        slots = np.empty(size, np.int32)
        keys[:low], slots[:low] = self.keys[:low], self.slots[:low]
        keys[tail:], slots[tail:] = self.keys[high:], self.slots[high:]
        keys[low:tail][old] = self.keys[low:high][kept]
        slots[low:tail][old] = self.slots[low:high][kept]
        keys[at], slots[at] = added, added_slots
        return FlatOrder(keys, slots)

    def count_below(self, key: int) -> int:
        """How many keys are smaller than `key`."""
        return bisect_left(self._keys_view, key)

    def counts_below(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many keys are smaller than each of `keys`."""
        return self.keys.searchsorted(keys)

    def distinct_before(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many distinct marks stand before each of `positions`, each of which must begin a mark.

        The running count (4 bytes a member) is kept until the order changes.
        """
        if self._distinct is None:
            marks = self.keys >> TIE_BITS
            self._distinct = np.zeros(len(marks) + 1, np.int32)
            self._distinct[1:2] = 1
            np.cumsum(marks[1:] != marks[:-1], out=self._distinct[2:])
            self._distinct[2:] += 1
        return self._distinct[positions].astype(np.int64)

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """The slots at positions start .. stop-1 (a copy)."""
        return self.slots[start:stop].copy()
