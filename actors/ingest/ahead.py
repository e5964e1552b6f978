"""Ahead of the log's order: while an owner is behind, the tournaments whose next deadline is nearest get their records first.

A range for one tournament follows where the owner stands in that tournament, and leaves its scope's watermark alone. When the scope's
own range comes to these records, the owner skips them. So the records of a tournament keep their order, each is applied once, and
recovery and the log's commit know nothing of any of this. What the owner has told that it has is left out of that range, which the owner
takes only if that is so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from actors.domain.delivery import ASK, DeliveryAnswer, Item, Range, is_claim
from actors.ingest.parse import Parsed

SURVEY_S: Final = 0.2  # at least between looks through all that waits
DUTY: Final = 25  # and this many times what the last one took: about 5 ms for 20,000 records
ASKED: Final = 1000  # tournaments of which an owner is asked in one delivery when they are due
NEVER_MS: Final = 2**62  # of a tournament that nothing is due in, or of which it is not known

_offset = attrgetter("offset")


class _Waiting(NamedTuple):
    """All records of a tournament beyond the offset `base` that were read; its partition."""

    partition: int
    base: int
    items: list[Item]


class Ahead:
    """Of one owner. `batch` records of a tournament at most in one range; `now_s` is a clock that only goes on."""

    def __init__(self, batch: int, now_s: Callable[[], float]) -> None:
        self._batch = batch
        self._now_s = now_s
        self._due_ms: dict[int, int] = {}  # of what waits, as the owner last told, the oldest answer first
        self._upto: dict[int, int] = {}  # tournament -> where the owner stands in it, beyond its scope's watermark
        self._waiting: dict[int, _Waiting] = {}
        self._order: list[int] | None = None  # of the tournaments that go ahead
        self._wanted: list[int] = []  # tournaments to ask the owner about
        self._survey_s = float("-inf")  # the next one

    def forget(self) -> None:
        """The owner may be another incarnation."""
        self._upto.clear()
        self._waiting.clear()
        self._order = None
        self._wanted = []
        self._survey_s = float("-inf")

    def upto(self, tournament_id: int) -> int:
        """Where the owner stands in a tournament if that is beyond its scope's watermark."""
        return self._upto.get(tournament_id, -1)

    def left_out(self, items: list[Item]) -> tuple[list[Item], dict[int, int]]:
        """Of items of a shared scope those that the owner has not, and of which tournaments others are left out, up to where."""
        if not self._upto:
            return items, {}
        kept: list[Item] = []
        without: dict[int, int] = {}
        for item in items:
            at = self._upto.get(item.tournament_id, -1)
            if item.offset > at:
                kept.append(item)
            else:
                without[item.tournament_id] = at
        return kept, without

    def survey(self, scopes: Iterable[tuple[int, int, list[Parsed]]], belongs: Callable[[Item, int], bool]) -> None:
        """Look through what waits, if it is time to: (partition, watermark, records beyond it) of shared scopes.

        No further than the next claim: behind that the scope may be another owner's.
        """
        now_s = self._now_s()
        if now_s < self._survey_s:
            return
        self._waiting = {}
        self._order = None
        for partition, watermark, records in scopes:
            for _, item in records:
                waiting = self._waiting.get(item.tournament_id)
                if waiting is None:
                    if is_claim(item):
                        break
                    if not belongs(item, 0):
                        continue
                    base = max(watermark, self.upto(item.tournament_id))
                    waiting = self._waiting[item.tournament_id] = _Waiting(partition, base, [])
                if item.offset > waiting.base:
                    waiting.items.append(item)
        self._upto = {t: at for t, at in self._upto.items() if t in self._waiting}
        self._due_ms = {t: due for t, due in self._due_ms.items() if t in self._waiting}
        unknown = [tournament_id for tournament_id in self._waiting if tournament_id not in self._due_ms]
        self._wanted = [*unknown, *self._due_ms] if len(self._waiting) > 1 else []
        self._survey_s = now_s + max(SURVEY_S, DUTY * (self._now_s() - now_s))

    def ranges(self, watermarks: dict[int, int], room: int) -> list[Range]:
        """What goes ahead, at most `room` records, the nearest deadline first; and a question. `watermarks`: of shared scopes by partition."""
        if self._order is None:
            due = {t: self._due_ms.get(t, NEVER_MS) for t, waiting in self._waiting.items() if waiting.items}
            last = max(due.values(), default=0)  # what is due last need not go ahead of anything
            self._order = sorted((t for t in due if due[t] < last), key=lambda t: due[t])
        found: list[Range] = []
        for tournament_id in self._order:
            partition, base, items = self._waiting[tournament_id]
            after = max(watermarks.get(partition, -1), self.upto(tournament_id))
            if partition not in watermarks or after < base:
                continue
            at = bisect_right(items, after, key=_offset)
            while room > 0 and (piece := items[at : at + min(self._batch, room)]):
                found.append(Range(partition, 0, after, piece[-1].offset, piece, ahead=tournament_id))
                after = piece[-1].offset
                at += len(piece)
                room -= len(piece)
            if room <= 0:
                break
        if self._wanted:
            asked, self._wanted = self._wanted[:ASKED], self._wanted[ASKED:]
            partition = self._waiting[asked[0]].partition
            found.append(Range(partition, 0, ASK, ASK, [], due_of=asked))
        return found

    def note(self, answer: DeliveryAnswer) -> None:
        """What the owner told."""
        self._upto.update(answer.ahead)
        for tournament_id, due_ms in answer.due_ms.items():
            self._order = None
            self._due_ms.pop(tournament_id, None)
            self._due_ms[tournament_id] = NEVER_MS if due_ms is None else due_ms
