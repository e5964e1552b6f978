"""The ranking of a tournament whose ties a subscore breaks, before who was first."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actors.domain.errors import ScoreValueError
from actors.domain.ranking.keys import NO_KEY, TIE_BITS, TIE_LIMIT, floor
from actors.domain.ranking.ranking import Ranking
from actors.domain.values import MAX_HUNDREDTHS

_TIE_MASK: Final = (1 << TIE_BITS) - 1
_IN_BULK: Final = 128  # ranks, or rows, from which sorting all members once is cheaper than looking up one by one


class _Group:
    """The listed members of one score: `keys` (`subscore mark << 29 | tie`, ascending) and the `slots` that hold them.

    A change moves what stands behind it: 3 us among 10,000 of one score, 40 us among 100,000 (measured).
    """

    __slots__ = ("keys", "slots")

    def __init__(self, keys: array[int], slots: array[int]) -> None:
        self.keys = keys
        self.slots = slots


class _Listing(NamedTuple):
    """All listed members at once: the slots in listing order; by slot its position, and the rank less one by the tie rule (-1: not listed)."""

    slots: NDArray[np.int32]
    ranks: NDArray[np.int64]


class SubscoreRanking(Ranking):
    """As `Ranking`, with a second int of hundredths by which equal scores stand in order; only equals in both stand by who was first.

    Both numbers have the whole range, so together with the tie they need 99 bits, more than one key has. So the outer order stays
    that of `Ranking`, by score alone, and the members of each score have an order of their own, whose keys are made the same way
    (`subscore, negated if descending << 29 | tie`): nothing is rounded, and nothing is ever relabelled for want of room. A place is
    the number of better scores, by the outer order, and the place within the group, by bisection.

    `shared` and `dense` ranks are of equals in both. A dense rank, and many ranks at once, sort all members for the first one after a
    change. About 8 bytes a member more than `Ranking`, 12 in its group, and 400 a distinct score.
    """

    def __init__(
        self, *, descending: bool, ties: str, subscore_descending: bool = False, tie_limit: int = TIE_LIMIT
    ) -> None:
        self._subscores = np.zeros(16, np.int64)  # marks: negated where the highest leads
        self._subscores_view = self._subscores.data
        self._subscore_sign = -1 if subscore_descending else 1
        self._groups: dict[int, _Group] = {}
        self._listing: _Listing | None = None
        super().__init__(descending=descending, ties=ties, tie_limit=tie_limit)

    def place(self, slot: int, score: int, subscore: int = 0) -> None:
        """As `Ranking.place`: it stands behind all equals in both, unless it had both already. Raises ScoreValueError for either."""
        for hundredths in (score, subscore):
            if not -MAX_HUNDREDTHS <= hundredths <= MAX_HUNDREDTHS:
                raise ScoreValueError(
                    f"expected hundredths from -{MAX_HUNDREDTHS} to {MAX_HUNDREDTHS}, got {hundredths}"
                )
        if not 0 <= slot < len(self._hidden_view):
            self._grow(slot)
        mark, submark = score * self._sign, subscore * self._subscore_sign
        before = self._keys_view[slot]
        if before >> TIE_BITS == mark and self._subscores_view[slot] == submark:
            return
        if self._next_tie >= self._tie_limit:
            self._renumber()
            before = self._keys_view[slot]
        after = (mark << TIE_BITS) | self._next_tie
        self._next_tie += 1
        visible = not self._hidden_view[slot]
        if visible and before != NO_KEY:
            self._leave_group(slot)
        self._keys_view[slot] = after
        self._subscores_view[slot] = submark
        if visible:
            if before == NO_KEY:
                self._ranked += 1
            self._order.move(slot, before, after)
            self._enter_group(slot)

    def hide(self, slot: int) -> None:
        """See `Ranking.hide`."""
        if self._visible_key(slot) != NO_KEY:
            self._leave_group(slot)
            super().hide(slot)

    def show(self, slot: int) -> None:
        """See `Ranking.show`."""
        if self._key(slot) != NO_KEY and self._hidden_view[slot]:
            super().show(slot)
            self._enter_group(slot)

    def subscore(self, slot: int) -> int | None:
        """The subscore in hundredths, also of a hidden member; None without a score."""
        return None if self._key(slot) == NO_KEY else self._subscore_sign * self._subscores_view[slot]

    @property
    def subscore_sign(self) -> int:
        """-1 where the highest leads, else 1: times a mark it is the subscore."""
        return self._subscore_sign

    def subscores_of(self, slots: ArrayLike) -> NDArray[np.int64]:
        """The subscores in hundredths of many members, hidden ones too. Raises IndexError for one without a score."""
        asked = np.asarray(slots, np.int32)
        if (self._keys_of(asked) == NO_KEY).any():
            raise IndexError("expected slots that have a score")
        return self._subscore_sign * self._subscores[asked]

    def submarks_of(self, slots: ArrayLike) -> NDArray[np.int64]:
        """By which members of one score stand in order, before `keys_of`; 0 where there is no such slot."""
        asked = np.asarray(slots, np.int32)
        return np.where(asked < len(self._subscores), self._subscores.take(asked, mode="clip"), 0)

    def position(self, slot: int) -> int | None:
        """See `Ranking.position`."""
        key = self._visible_key(slot)
        return None if key == NO_KEY else self._count_below(key, self._inner_key(slot))

    def rank(self, slot: int) -> int | None:
        """See `Ranking.rank`."""
        key = self._visible_key(slot)
        if key == NO_KEY:
            return None
        if self._ties == "dense":
            return int(self._listed().ranks[slot]) + 1
        inner = self._inner_key(slot)
        return self._count_below(key, inner if self._ties == "first" else floor(inner)) + 1

    def ranks(self, slots: ArrayLike) -> NDArray[np.int64]:
        """See `Ranking.ranks`."""
        asked = np.asarray(slots, np.int32)
        if len(asked) < _IN_BULK and self._ties != "dense":
            return np.array([self.rank(slot) or 0 for slot in asked.tolist()], np.int64)
        ranks = self._listed().ranks
        known = asked.view(np.uint32) < len(ranks)
        found = np.zeros(len(asked), np.int64)
        found[known] = ranks[asked[known]] + 1
        return found

    def percentile(self, slot: int) -> float | None:
        """See `Ranking.percentile`; better is who has a better score, or the same and a better subscore."""
        key = self._visible_key(slot)
        if key == NO_KEY:
            return None
        return 100.0 * (self._ranked - self._count_below(key, floor(self._inner_key(slot)))) / self._ranked

    def slots(self, start: int, count: int) -> NDArray[np.int32]:
        """See `Ranking.slots`."""
        first, stop = max(start, 0), min(start + count, self._ranked)
        if first >= stop:
            return np.empty(0, np.int32)
        if stop - first > _IN_BULK or self._listing is not None:
            return self._listed().slots[first:stop].copy()
        rows = self._order.rows(first, stop)  # the right scores, each with its members in another order
        marks = self._keys[rows] >> TIE_BITS
        skip = first - self._order.count_below(int(marks[0]) << TIE_BITS)
        begin = 0
        for end in (*(np.flatnonzero(marks[1:] != marks[:-1]) + 1).tolist(), len(rows)):
            rows[begin:end] = self._groups[int(marks[begin])].slots[skip : skip + end - begin]
            begin, skip = end, 0
        return rows

    def rank_among(self, slot: int, slots: ArrayLike) -> int | None:
        """See `Ranking.rank_among`."""
        key = self._visible_key(slot)
        if key == NO_KEY:
            return None
        asked = np.asarray(slots, np.int32)
        keys, inner = self.keys_of(asked), self._inner_key(slot)
        asked, keys = asked[keys != NO_KEY], keys[keys != NO_KEY]  # there may be no column yet for the others
        marks = keys >> TIE_BITS
        limit = inner if self._ties == "first" else floor(inner)
        better = (keys < floor(key)) | ((marks == key >> TIE_BITS) & (self._inner_keys(asked) < limit))
        if self._ties != "dense":
            return int(np.count_nonzero(better)) + 1
        pairs = np.stack((marks[better], self._subscores[asked[better]]))
        return len(np.unique(pairs, axis=1)[0]) + 1

    def sorted_of(self, slots: ArrayLike) -> NDArray[np.int32]:
        """See `Ranking.sorted_of`."""
        asked = np.asarray(slots, np.int32)
        return self._sorted(asked[self.keys_of(asked) != NO_KEY])

    def _equal_to_last(self, ordered: NDArray[np.int32]) -> NDArray[np.bool_]:
        equal = super()._equal_to_last(ordered)
        submarks = self._subscores[ordered]
        equal[1:] &= submarks[1:] == submarks[:-1]
        return equal

    def ordered(self) -> NDArray[np.int32]:
        """See `Ranking.ordered`."""
        return self._sorted(np.flatnonzero(self._keys != NO_KEY))

    def ordered_of(self, slots: NDArray[np.int32]) -> NDArray[np.int32]:
        """See `Ranking.ordered_of`."""
        return self._sorted(slots[self._keys_of(slots) != NO_KEY])

    @classmethod
    def restore_pairs(
        cls,
        *,
        descending: bool,
        ties: str,
        subscore_descending: bool,
        slots: ArrayLike,
        scores: ArrayLike,
        subscores: ArrayLike,
        hidden: ArrayLike,
    ) -> SubscoreRanking:
        """As `Ranking.restore`, which see for what it raises; a subscore for each row, too."""
        ranking = cls(descending=descending, ties=ties, subscore_descending=subscore_descending)
        into, given = np.asarray(slots, np.int32), np.asarray(scores, np.int64)
        second = np.asarray(subscores, np.int64)
        if second.shape != into.shape:
            raise ValueError(f"expected as many subscores as slots, got {second.shape} for {into.shape}")
        if len(into):
            if not (int(second.min()) >= -MAX_HUNDREDTHS and int(second.max()) <= MAX_HUNDREDTHS):
                raise ScoreValueError(f"expected hundredths from -{MAX_HUNDREDTHS} to {MAX_HUNDREDTHS}")
            submarks = second * ranking._subscore_sign
            if ((given[1:] == given[:-1]) & (submarks[1:] < submarks[:-1])).any():
                raise ValueError("expected the rows in the order of the table")
            ranking._grow(int(into.view(np.uint32).max()), exactly=True)
            ranking._subscores[into] = submarks
        ranking._fill(into, given, np.asarray(hidden, np.bool_))
        return ranking

    def _inner_key(self, slot: int) -> int:
        return (self._subscores_view[slot] << TIE_BITS) | (self._keys_view[slot] & _TIE_MASK)

    def _inner_keys(self, slots: NDArray[np.intp] | NDArray[np.int32]) -> NDArray[np.int64]:
        keys: NDArray[np.int64] = (self._subscores[slots] << TIE_BITS) | (self._keys[slots] & _TIE_MASK)
        return keys

    def _count_below(self, key: int, inner: int) -> int:
        """How many listed members stand before one of this key, and with a smaller inner key among those of its score."""
        return self._order.count_below(floor(key)) + bisect_left(self._groups[key >> TIE_BITS].keys, inner)

    def _enter_group(self, slot: int) -> None:
        self._listing = None
        mark, inner = self._keys_view[slot] >> TIE_BITS, self._inner_key(slot)
        group = self._groups.get(mark)
        if group is None:
            self._groups[mark] = _Group(array("q", (inner,)), array("i", (slot,)))
            return
        at = bisect_left(group.keys, inner)
        group.keys.insert(at, inner)
        group.slots.insert(at, slot)

    def _leave_group(self, slot: int) -> None:
        self._listing = None
        mark = self._keys_view[slot] >> TIE_BITS
        group = self._groups[mark]
        if len(group.keys) == 1:
            del self._groups[mark]
            return
        at = bisect_left(group.keys, self._inner_key(slot))
        del group.keys[at], group.slots[at]

    def _sorted(self, slots: NDArray[np.intp] | NDArray[np.int32]) -> NDArray[np.int32]:
        order = np.lexsort((self._inner_keys(slots), self._keys[slots] >> TIE_BITS))
        return slots[order].astype(np.int32)

    def _listed(self) -> _Listing:
        """All listed members in order, kept until something changes."""
        if self._listing is None:
            slots = self._sorted(np.flatnonzero((self._keys != NO_KEY) & ~self._hidden))
            ranks = np.full(len(self._keys), -1, np.int64)
            ranks[slots] = self.ranks_among(slots) - 1
            self._listing = _Listing(slots, ranks)
        return self._listing

    def _rebuild(self, slots: NDArray[np.int32]) -> None:
        super()._rebuild(slots)
        self._listing = None
        visible = slots[~self._hidden[slots]]
        marks, inner = self._keys[visible] >> TIE_BITS, self._inner_keys(visible)
        self._groups = {}
        begin = 0
        for end in (*(np.flatnonzero(marks[1:] != marks[:-1]) + 1).tolist(), len(visible)):
            if end > begin:
                keys, members = array("q", inner[begin:end].tobytes()), array("i", visible[begin:end].tobytes())
                self._groups[int(marks[begin])] = _Group(keys, members)
            begin = end

    def _grow(self, slot: int, *, exactly: bool = False) -> None:
        super()._grow(slot, exactly=exactly)
        if len(self._subscores) < len(self._keys):
            subscores = np.zeros(len(self._keys), np.int64)
            subscores[: len(self._subscores)] = self._subscores
            self._subscores, self._subscores_view = subscores, subscores.data
