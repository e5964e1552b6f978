"""User ids to slots: NumPy open addressing, 16-21 bytes a user with the column of ids."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actors.domain.values import MAX_ID

DEFAULT_MULTIPLIER: Final = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: any odd number is right, a secret one is safe
_WORD: Final = 2**64 - 1
_SMALLEST_TABLE: Final = 16
_SMALL_BATCH: Final = 48  # up to it a loop is cheaper than NumPy's calls (measured)


class UserMap:
    """A map from user id (1 .. 2^63-1) to slot; slots are dense, 0, 1, 2, ... in the order of adding.

    Linear probing at a load of at most 1/2. The hash multiplies by `multiplier`, which should be secret where users may
    choose their ids, or they could choose colliding ones. Slots never depend on it. Nothing is ever removed.
    Raises ValueError for an even multiplier, and from `add` and `add_many` for an id outside its range.
    """

    def __init__(self, multiplier: int = DEFAULT_MULTIPLIER) -> None:
        if multiplier % 2 == 0:
            raise ValueError("expected an odd multiplier: an even one loses bits of the id")
        self._multiplier = multiplier & _WORD
        self._count = 0
        self._set_ids(np.empty(_SMALLEST_TABLE // 2, np.int64))
        self._set_table(_SMALLEST_TABLE)

    def __len__(self) -> int:
        return self._count

    def slot(self, user_id: int) -> int:
        """The slot of a user, -1 if unknown."""
        x = user_id * self._multiplier & _WORD
        at = ((x ^ x >> 32) * self._multiplier & _WORD) >> self._shift
        table, ids = self._table_view, self._ids_view
        slot: int = table[at]
        while slot >= 0 and ids[slot] != user_id:
            at = at + 1 & self._mask
            slot = table[at]
        return slot

    def slots(self, user_ids: ArrayLike) -> NDArray[np.int32]:
        """The slots of many users, -1 where unknown: int32, in the order asked."""
        wanted = np.asarray(user_ids, np.int64)
        if len(wanted) <= _SMALL_BATCH:
            return np.array([self.slot(user_id) for user_id in wanted.tolist()], np.int32)
        at = self._home(wanted)
        found = self._table[at]
        # An empty cell (-1) reads the last id of the column, whatever that is: its search ends by `found` alone.
        missed = np.flatnonzero((self._ids[found] != wanted) & (found >= 0))
        while len(missed) > _SMALL_BATCH // 2:
            at[missed] = at[missed] + 1 & self._mask
            next_found = self._table[at[missed]]
            found[missed] = next_found
            missed = missed[(self._ids[next_found] != wanted[missed]) & (next_found >= 0)]
        for index in missed.tolist():
            found[index] = self.slot(int(wanted[index]))
        return found

    def add(self, user_id: int) -> int:
        """The slot of a user, who gets the next one if unknown."""
        slot = self.slot(user_id)
        if slot >= 0:
            return slot
        if not 1 <= user_id <= MAX_ID:
            raise ValueError(f"expected a user id from 1 to {MAX_ID}, got {user_id}")
        self._reserve(self._count + 1)
        x = user_id * self._multiplier & _WORD
        at = ((x ^ x >> 32) * self._multiplier & _WORD) >> self._shift
        while self._table_view[at] >= 0:
            at = at + 1 & self._mask
        slot = self._count
        self._table_view[at] = slot
        self._ids_view[slot] = user_id
        self._count = slot + 1
        return slot

    def add_many(self, user_ids: ArrayLike) -> NDArray[np.int32]:
        """The slots of many users, in the order asked; unknown ones get the next slots in order of first occurrence."""
        wanted = np.asarray(user_ids, np.int64)
        found = self.slots(wanted)
        unknown = wanted[found < 0]
        if not len(unknown):
            return found
        if int(unknown.min()) < 1:
            raise ValueError(f"expected user ids from 1 to {MAX_ID}, got {int(unknown.min())}")
        _, first = np.unique(unknown, return_index=True)
        fresh = unknown[np.sort(first)]
        self._reserve(self._count + len(fresh))
        self._ids[self._count : self._count + len(fresh)] = fresh
        self._insert(fresh, self._count)
        self._count += len(fresh)
        return self.slots(wanted)

    def user_id(self, slot: int) -> int:
        """The user in a slot. Raises IndexError for a slot not given out."""
        if not 0 <= slot < self._count:
            raise IndexError(f"expected a slot from 0 to {self._count - 1}, got {slot}")
        return self._ids_view[slot]

    def user_ids(self, slots: ArrayLike) -> NDArray[np.int64]:
        """The users in many slots: int64, in the order asked. Raises IndexError for a slot not given out."""
        asked = np.asarray(slots, np.int32)
        if len(asked) and not (int(asked.min()) >= 0 and int(asked.max()) < self._count):
            raise IndexError(f"expected slots from 0 to {self._count - 1}")
        return self._ids[asked]

    def _home(self, user_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        multiplier = np.uint64(self._multiplier)
        x = user_ids.view(np.uint64) * multiplier
        x ^= x >> np.uint64(32)
        x *= multiplier
        x >>= np.uint64(self._shift)
        return x.view(np.int64)

    def _reserve(self, count: int) -> None:
        if count > len(self._ids):
            grown = np.empty(max(count, len(self._ids) + (len(self._ids) >> 2)), np.int64)
            grown[: self._count] = self._ids[: self._count]
            self._set_ids(grown)
        if count * 2 > len(self._table):
            self._set_table(1 << (count * 2 - 1).bit_length())
            self._insert(self._ids[: self._count], 0)

    def _insert(self, user_ids: NDArray[np.int64], first_slot: int) -> None:
        """Put distinct, absent users into the table; they take the slots from `first_slot` on."""
        at = self._home(user_ids)
        slots = np.arange(first_slot, first_slot + len(user_ids), dtype=np.int32)
        while len(slots):
            free = self._table[at] < 0
            self._table[at[free]] = slots[free]  # where several want one cell, the last gets it and the others go on
            misplaced = self._table[at] != slots
            at = at[misplaced] + 1 & self._mask
            slots = slots[misplaced]

    def _set_ids(self, ids: NDArray[np.int64]) -> None:
        self._ids = ids
        self._ids_view = ids.data  # reads and writes plain ints, three times as fast as NumPy's scalars

    def _set_table(self, size: int) -> None:
        self._table = np.full(size, -1, np.int32)
        self._table_view = self._table.data
        self._mask = size - 1
        self._shift = 65 - size.bit_length()  # the top log2(size) bits of 64
