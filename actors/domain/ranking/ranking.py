"""The ranking of one tournament: a key and a flag for each slot, and an order of the keys."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actors.domain.errors import ScoreValueError
from actors.domain.ranking.flat import FlatOrder
from actors.domain.ranking.keys import NO_KEY, TIE_BITS, TIE_LIMIT, floor, tied_ranks
from actors.domain.ranking.order import LateOrder
from actors.domain.values import MAX_HUNDREDTHS


class Ranking:
    """Slots ranked by score, and among equals by who reached the score first.

    A slot is an int from 0 to 2^31-1, dense (columns are as long as the largest one), as `UserMap` gives them. A score
    is an int of hundredths, |score| <= 9,999,999,999. The key of a member is one int64 in rank order,
    `(score, negated if descending) << 29 | tie`, where `tie` counts the placements of this ranking. When the ties
    are used up (`tie_limit`, smaller only in tests) all members, hidden ones too, are numbered again in their order.

    Everything is deterministic. A read may bring the inner order up to date but never changes an answer.
    `ranking_order` tells how the order is kept.
    """

    def __init__(self, *, descending: bool, ties: str, tie_limit: int = TIE_LIMIT) -> None:
        if ties not in ("first", "shared", "dense"):
            raise ValueError(f"expected ties first, shared or dense, got {ties!r}")
        if not 1 <= tie_limit <= TIE_LIMIT:
            raise ValueError(f"expected a tie limit from 1 to {TIE_LIMIT}, got {tie_limit}")
        self._sign = -1 if descending else 1
        self._ties = ties
        self._tie_limit = tie_limit
        self._next_tie = 0
        self._renumbered = 0
        self._ranked = 0
        self._set_columns(np.full(16, NO_KEY, np.int64), np.zeros(16, np.bool_))
        self._order = LateOrder(FlatOrder(np.empty(0, np.int64), np.empty(0, np.int32)))

    def __len__(self) -> int:
        """Members with a rank: not hidden, with a score."""
        return self._ranked

    def place(self, slot: int, score: int) -> None:
        """Give a member a score; it stands behind all who have the same, unless it had this score already.

        A hidden member stays hidden. Raises ScoreValueError beyond the largest score, IndexError for a bad slot,
        OverflowError when more members have a score than there are ties.
        """
        if not -MAX_HUNDREDTHS <= score <= MAX_HUNDREDTHS:
            raise ScoreValueError(f"expected hundredths from -{MAX_HUNDREDTHS} to {MAX_HUNDREDTHS}, got {score}")
        if not 0 <= slot < len(self._hidden_view):
            self._grow(slot)
        mark = score * self._sign
        if self._keys_view[slot] >> TIE_BITS == mark:
            return
        if self._next_tie >= self._tie_limit:
            self._renumber()
        before = self._keys_view[slot]
        after = (mark << TIE_BITS) | self._next_tie
        self._next_tie += 1
        self._keys_view[slot] = after
        if not self._hidden_view[slot]:
            if before == NO_KEY:
                self._ranked += 1
            self._order.move(slot, before, after)

    def hide(self, slot: int) -> None:
        """Take a member out of the table; score and place are kept. Does nothing without a score, or when hidden."""
        key = self._key(slot)
        if key != NO_KEY and not self._hidden_view[slot]:
            self._hidden_view[slot] = True
            self._ranked -= 1
            self._order.move(slot, key, NO_KEY)

    def show(self, slot: int) -> None:
        """Put a hidden member back where it would stand had it never left. Does nothing unless hidden."""
        key = self._key(slot)
        if key != NO_KEY and self._hidden_view[slot]:
            self._hidden_view[slot] = False
            self._ranked += 1
            self._order.move(slot, NO_KEY, key)

    def score(self, slot: int) -> int | None:
        """The score in hundredths, also of a hidden member; None without one."""
        key = self._key(slot)
        return None if key == NO_KEY else self._sign * (key >> TIE_BITS)

    def scores_of(self, slots: ArrayLike) -> NDArray[np.int64]:
        """The scores in hundredths of many members, hidden ones too. Raises IndexError for one without a score."""
        keys = self._keys_of(np.asarray(slots, np.int32))
        if (keys == NO_KEY).any():
            raise IndexError("expected slots that have a score")
        return self._sign * (keys >> TIE_BITS)

    def keys_of(self, slots: ArrayLike) -> NDArray[np.int64]:
        """The keys of many slots, `NO_KEY` for one hidden or without a score: they order the members as listed, until `renumbered` grows."""
        asked = np.asarray(slots, np.int32)
        keys = self._keys_of(asked)
        keys[self._hidden.take(asked, mode="clip")] = NO_KEY
        return keys

    @property
    def renumbered(self) -> int:
        """How often all members were given new keys."""
        return self._renumbered

    @renumbered.setter
    def renumbered(self, times: int) -> None:
        """Count on from there: of a ranking whose keys are not those of another one."""
        self._renumbered = times

    def position(self, slot: int) -> int | None:
        """The 0-based place in listing order; None when hidden or without a score."""
        key = self._visible_key(slot)
        return None if key == NO_KEY else self._order.count_below(key)

    def rank(self, slot: int) -> int | None:
        """The 1-based rank by the tie rule; None when hidden or without a score.

        `first`: position + 1. `shared`: 1 + members with a better score. `dense`: 1 + distinct better scores.
        `dense` reads the flat form: O(members) for the first rank after a change, then as cheap as the others.
        """
        key = self._visible_key(slot)
        if key == NO_KEY:
            return None
        if self._ties == "first":
            return self._order.count_below(key) + 1
        if self._ties == "shared":
            return self._order.count_below(floor(key)) + 1
        return int(self._order.distinct_below(np.array([floor(key)]))[0]) + 1

    def ranks(self, slots: ArrayLike) -> NDArray[np.int64]:
        """The ranks of many slots, as `rank` gives them; 0 for none (hidden, without a score, or not a slot at all)."""
        asked = np.asarray(slots, np.int32)
        if not len(asked):
            return np.empty(0, np.int64)
        keys = self.keys_of(asked)
        placed = keys != NO_KEY
        if self._ties != "first":
            keys = floor(keys)
        count = self._order.distinct_below if self._ties == "dense" else self._order.counts_below
        ranks = np.zeros(len(asked), np.int64)
        ranks[placed] = count(keys[placed]) + 1
        return ranks

    def rank_among(self, slot: int, slots: ArrayLike) -> int | None:
        """The 1-based rank that a member has among these (distinct slots, the member's own too or not); None when not listed.

        O(slots): one pass over their keys.
        """
        key = self._visible_key(slot)
        if key == NO_KEY:
            return None
        keys = self.keys_of(slots)
        if self._ties == "first":
            return int(np.count_nonzero(keys < key)) + 1
        better = keys < floor(key)
        count = np.count_nonzero(better) if self._ties == "shared" else len(np.unique(keys[better] >> TIE_BITS))
        return int(count) + 1

    def count_listed(self, slots: ArrayLike) -> int:
        """How many of these have a rank."""
        return int(np.count_nonzero(self.keys_of(slots) != NO_KEY))

    def sorted_of(self, slots: ArrayLike) -> NDArray[np.int32]:
        """Those of these slots that are listed, in listing order."""
        asked = np.asarray(slots, np.int32)
        keys = self.keys_of(asked)
        order = keys.argsort()[: np.count_nonzero(keys != NO_KEY)]  # what is not listed has the highest key
        listed: NDArray[np.int32] = asked[order]
        return listed

    def ranks_among(self, ordered: NDArray[np.int32]) -> NDArray[np.int64]:
        """The 1-based ranks of some listed slots, given in listing order, as if there were no others."""
        return tied_ranks(self._ties, self._equal_to_last(ordered))

    def _equal_to_last(self, ordered: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Of slots in listing order: whether each is equal, but for who was first, to the one before."""
        marks = self._keys[ordered] >> TIE_BITS
        equal = np.zeros(len(ordered), np.bool_)
        np.equal(marks[1:], marks[:-1], out=equal[1:])
        return equal

    def slots(self, start: int, count: int) -> NDArray[np.int32]:
        """The members in listing order from the 0-based position `start`: at most `count`, fewer at the end."""
        first, stop = max(start, 0), min(start + count, self._ranked)
        return self._order.rows(first, stop) if first < stop else np.empty(0, np.int32)

    def percentile(self, slot: int) -> float | None:
        """The percentage of ranked members whose score is no better (oneself included): over 0, the leader has 100.

        This is the percentile rank in its "weak" form (share of values at or below), 100 * (n - better) / n, and the
        same under every tie rule. None when hidden or without a score.
        """
        key = self._visible_key(slot)
        if key == NO_KEY:
            return None
        return 100.0 * (self._ranked - self._order.count_below(floor(key))) / self._ranked

    def ordered(self) -> NDArray[np.int32]:
        """All slots with a score, hidden ones too, in the order of the table: what a snapshot keeps."""
        self._order.settle()
        flat = self._order.flat()
        hidden = np.flatnonzero(self._hidden & (self._keys != NO_KEY))
        if len(hidden):
            hidden = hidden[self._keys[hidden].argsort()]
            flat = flat.merged(np.empty(0, np.int64), self._keys[hidden], hidden.astype(np.int32))
        return flat.slots.copy()

    def ordered_of(self, slots: NDArray[np.int32]) -> NDArray[np.int32]:
        """Those of these slots that have a score, hidden ones too, in the order of the table."""
        keys = self._keys_of(slots)
        ordered: NDArray[np.int32] = slots[keys.argsort()[: np.count_nonzero(keys != NO_KEY)]]  # NO_KEY is the highest
        return ordered

    @property
    def placed(self) -> tuple[int, int]:
        """How often all were numbered again, and how many placements there were since: see `placed_since`."""
        return self._renumbered, self._next_tie

    def placed_since(self, slots: NDArray[np.int32], before: tuple[int, int]) -> NDArray[np.bool_]:
        """Which of these slots, all with a score, were given their place after `before`, a value of `placed` since the last numbering."""
        ties = self._keys_of(slots) & (TIE_LIMIT - 1)
        later: NDArray[np.bool_] = ties >= before[1]
        return later

    @classmethod
    def restore(cls, *, descending: bool, ties: str, slots: ArrayLike, scores: ArrayLike, hidden: ArrayLike) -> Ranking:
        """A ranking from the rows of a snapshot, in the order of `ordered`; `hidden` is a bool for each row.

        Nothing is sorted: the ties are numbered in the order given. Raises ValueError for unequal lengths and for rows
        that are not in order, IndexError for a bad or repeated slot, ScoreValueError beyond the largest score.
        """
        ranking = cls(descending=descending, ties=ties)
        ranking._fill(np.asarray(slots, np.int32), np.asarray(scores, np.int64), np.asarray(hidden, np.bool_))
        return ranking

    def _fill(self, into: NDArray[np.int32], given: NDArray[np.int64], concealed: NDArray[np.bool_]) -> None:
        """As `restore` tells, into an empty ranking."""
        if not into.shape == given.shape == concealed.shape or into.ndim != 1:
            raise ValueError(
                f"expected three columns of one length, got {into.shape}, {given.shape}, {concealed.shape}"
            )
        if not len(into):
            return
        marks = given * self._sign
        if (marks[1:] < marks[:-1]).any():
            raise ValueError("expected the rows in the order of the table")
        if not (int(marks[0]) >= -MAX_HUNDREDTHS and int(marks[-1]) <= MAX_HUNDREDTHS):
            raise ScoreValueError(f"expected hundredths from -{MAX_HUNDREDTHS} to {MAX_HUNDREDTHS}")
        self._grow(int(into.view(np.uint32).max()), exactly=True)
        self._number(into, marks)
        self._hidden[into] = concealed
        if np.count_nonzero(self._keys != NO_KEY) != len(into):
            raise IndexError("expected each slot once")
        self._rebuild(into)

    def _key(self, slot: int) -> int:
        return self._keys_view[slot] if 0 <= slot < len(self._hidden_view) else NO_KEY

    def _visible_key(self, slot: int) -> int:
        return NO_KEY if not 0 <= slot < len(self._hidden_view) or self._hidden_view[slot] else self._keys_view[slot]

    def _keys_of(self, slots: NDArray[np.int32]) -> NDArray[np.int64]:
        """A copy of the keys of many slots: NO_KEY without a score, and where there is no such slot."""
        keys = self._keys.take(slots, mode="clip")
        if len(slots) and int(slots.view(np.uint32).max()) >= len(self._keys):
            keys[slots.view(np.uint32) >= len(self._keys)] = NO_KEY
        return keys

    def _renumber(self) -> None:
        """Number the ties of all members from 0 in their order. Raises OverflowError if that leaves none."""
        slots = self.ordered()
        if len(slots) >= self._tie_limit:
            raise OverflowError(f"expected fewer than {self._tie_limit} members with a score, got {len(slots)}")
        self._number(slots, self._keys[slots] >> TIE_BITS)
        self._rebuild(slots)
        self._renumbered += 1

    def _number(self, slots: NDArray[np.int32], marks: NDArray[np.int64]) -> None:
        self._keys[slots] = (marks << TIE_BITS) + np.arange(len(slots))
        self._next_tie = len(slots)

    def _rebuild(self, slots: NDArray[np.int32]) -> None:
        """Make the order anew from all slots with a score, in order."""
        visible = slots[~self._hidden[slots]]
        self._ranked = len(visible)
        self._order = LateOrder(FlatOrder(self._keys[visible], visible))

    def _grow(self, slot: int, *, exactly: bool = False) -> None:
        if not 0 <= slot < 2**31:
            raise IndexError(f"expected a slot from 0 to {2**31 - 1}, got {slot}")
        old = len(self._keys)
        size = slot + 1 if exactly else max(slot + 1, old + (old >> 2))
        if size > old:
            keys, hidden = np.full(size, NO_KEY, np.int64), np.zeros(size, np.bool_)
            keys[:old], hidden[:old] = self._keys, self._hidden
            self._set_columns(keys, hidden)

    def _set_columns(self, keys: NDArray[np.int64], hidden: NDArray[np.bool_]) -> None:
        self._keys, self._hidden = keys, hidden
        # Views read and write plain ints, three times as fast as NumPy's scalars.
        self._keys_view, self._hidden_view = keys.data, hidden.data
