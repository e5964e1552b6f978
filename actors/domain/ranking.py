"""The ranking of one tournament: columns indexed by slot, and an order of one int64 key a member."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

TIE_BITS: Final = 29
TIE_LIMIT: Final = 1 << TIE_BITS
NONE: Final = 2**63 - 1


class Ranking:
    """Slots ranked by score (hundredths); see the methods."""

    def __init__(self, *, descending: bool, ties: str, tie_limit: int = TIE_LIMIT) -> None:
        if ties not in ("first", "shared", "dense"):
            raise ValueError(f"expected ties first, shared or dense, got {ties!r}")
        self._sign = -1 if descending else 1
        self._ties = ties
        self._next_tie = 0
        self._keys = np.full(16, NONE, np.int64)
        self._hidden = np.zeros(16, np.bool_)
        self._flat: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None

    def __len__(self) -> int:
        return len(self._order()[0])

    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        if self._flat is None:
            visible = np.flatnonzero((self._keys != NONE) & ~self._hidden)
            keys = self._keys[visible]
            order = np.argsort(keys)
            self._flat = keys[order], visible[order].astype(np.int32)
        return self._flat

    def place(self, slot: int, score: int) -> None:
        while slot >= len(self._keys):
            self._keys = np.concatenate((self._keys, np.full(len(self._keys), NONE, np.int64)))
            self._hidden = np.concatenate((self._hidden, np.zeros(len(self._hidden), np.bool_)))
        if self.score(slot) != score:
            self._keys[slot] = (self._sign * score << TIE_BITS) | self._next_tie
            self._next_tie += 1
            self._flat = None

    def place_many(self, slots: ArrayLike, scores: ArrayLike) -> None:
        for slot, score in zip(np.asarray(slots).tolist(), np.asarray(scores).tolist(), strict=True):
            self.place(slot, score)

    def _key(self, slot: int) -> int:
        return int(self._keys[slot]) if 0 <= slot < len(self._keys) else NONE

    def hide(self, slot: int) -> None:
        if self._key(slot) != NONE:
            self._hidden[slot] = True
            self._flat = None

    def show(self, slot: int) -> None:
        if self._key(slot) != NONE:
            self._hidden[slot] = False
            self._flat = None

    def score(self, slot: int) -> int | None:
        key = self._key(slot)
        return None if key == NONE else self._sign * (key >> TIE_BITS)

    def position(self, slot: int) -> int | None:
        key = self._key(slot)
        if key == NONE or self._hidden[slot]:
            return None
        return int(np.searchsorted(self._order()[0], key))

    def rank(self, slot: int) -> int | None:
        position = self.position(slot)
        if position is None or self._ties == "first":
            return None if position is None else position + 1
        marks = self._order()[0] >> TIE_BITS
        if self._ties == "dense":
            marks = np.unique(marks)
        return 1 + int(np.searchsorted(marks, self._key(slot) >> TIE_BITS))

    def ranks(self, slots: ArrayLike) -> NDArray[np.int64]:
        return np.array([self.rank(slot) or 0 for slot in np.asarray(slots).tolist()], np.int64)

    def slots(self, start: int, count: int) -> NDArray[np.int32]:
        return self._order()[1][max(start, 0) : max(start + count, 0)].copy()

    def scores_of(self, slots: ArrayLike) -> NDArray[np.int64]:
        return self._sign * (self._keys[np.asarray(slots, np.int32)] >> TIE_BITS)

    def score_at(self, rank: int) -> int | None:
        keys = self._order()[0]
        return self._sign * (int(keys[rank - 1]) >> TIE_BITS) if 1 <= rank <= len(keys) else None

    def percentile(self, slot: int) -> float | None:
        if self.position(slot) is None:
            return None
        keys = self._order()[0]
        better = int(np.searchsorted(keys >> TIE_BITS, self._key(slot) >> TIE_BITS))
        return 100.0 * (len(keys) - better) / len(keys)

    def ordered(self) -> NDArray[np.int32]:
        scored = np.flatnonzero(self._keys != NONE)
        return scored[np.argsort(self._keys[scored])].astype(np.int32)

    @classmethod
    def restore(cls, *, descending: bool, ties: str, slots: ArrayLike, scores: ArrayLike, hidden: ArrayLike) -> Ranking:
        ranking = cls(descending=descending, ties=ties)
        ranking.place_many(slots, scores)
        for slot in np.asarray(slots)[np.asarray(hidden, np.bool_)].tolist():
            ranking.hide(slot)
        return ranking

    def nbytes(self) -> int:
        return self._keys.nbytes + self._hidden.nbytes
