"""What is published of one tournament: the live data as of its newest update, and the updates before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from actors.domain import views
from actors.domain.publications import LiveData, LiveRow
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.tournament import Tournament

RECENT_UPDATES: Final = 64  # patches kept for `since`: 3 s at 20 a second
NEVER_MS: Final = -(2**62)


@dataclass(slots=True)
class Live:
    """Kept by the publisher, read by all. `seq` counts updates within the scope's epoch; `data` is what the newest one told, None while nobody
    watches; `watched_ms`: when somebody was last known to.

    `stale`: the live data may have changed since. `rows`: the live table's rows by slot, in order, with the score, the name and the
    subscore (None where there is none) that each shows; `worst`: the score of its last row, None while there is room.
    """

    seq: int = 0
    data: LiveData | None = None
    recent: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=RECENT_UPDATES))
    stale: bool = False
    published_ms: int = 0
    watched_ms: int = NEVER_MS
    rows: dict[int, tuple[int, str | None, LiveRow, int | None]] = field(default_factory=dict)
    worst: int | None = None

    def let_go(self) -> None:
        """Nobody watches any more: keep nothing that only updates need."""
        if self.data is not None:
            self.data, self.rows, self.worst = None, {}, None

    def count_unheard(self) -> None:
        """What changed since the newest update, and nobody listened to, counts as one: what shows now has a position."""
        self.let_go()
        if self.stale:
            self.stale = False
            self.seq += 1
            self.recent.clear()

    def data_now(self, state: Tournament, status: str) -> LiveData:
        """The live data as of now. Rows that are as they were the last time are the same objects, and never changed."""
        kept, names = self.rows, state.members.names
        slots = state.ranking.slots(0, views.TOP_ROWS)
        scores = state.ranking.scores_of(slots).tolist() if len(slots) else []
        second = state.ranking if isinstance(state.ranking, SubscoreRanking) else None
        rows: dict[int, tuple[int, str | None, LiveRow, int | None]] = {}
        for slot, score in zip(slots.tolist(), scores, strict=True):
            known, subscore = kept.get(slot), None if second is None else second.subscore(slot)
            if known is None or known[0] != score or known[1] != names[slot] or known[3] != subscore:
                known = score, names[slot], views.top_row(state, slot, score, subscore), subscore
            rows[slot] = known
        self.rows = rows
        self.worst = scores[-1] if len(scores) >= views.TOP_ROWS else None
        return views.live_fields(state, status, [row for _, _, row, _ in rows.values()])

    def may_show(self, state: Tournament, slots: Iterable[int]) -> bool:
        """Whether the new scores of these may show in the live table: a cheap test that errs on the side of yes."""
        worst, rows, score_of = self.worst, self.rows, state.ranking.score
        if worst is None:
            return True
        sign = 1 if state.spec.order == "desc" else -1
        return any(
            slot in rows or ((score := score_of(slot)) is not None and score * sign >= worst * sign) for slot in slots
        )
