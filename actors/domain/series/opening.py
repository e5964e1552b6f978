"""Which of a series' tournaments are to be opened by a clock's time."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from actors.domain.series.schedule import next_times
from actors.domain.tournament import Tournament

COUNTED: Final = 1000  # tournaments that were missed, at once; of more nobody needs the number


def due_occurrences(state: Tournament, now_ms: int) -> tuple[list[int], int]:
    """The starts of those to open now, and how many before them are missed: over already, so that they are not opened at all.

    A scheduled series has `ahead` tournaments open that have not started; an instant one opens each at its time. One that has started and is
    not over by its duration opens late. Raises ValueError for an unknown zone.
    """
    recurrence, family = state.spec.recurrence, state.family
    if recurrence is UNSET or family is None:
        return [], 0
    after_ms = family.occurrences[-1] if family.occurrences else state.created_ms
    over_ms = now_ms - recurrence.duration_ms  # what started by then is over
    missed = 0
    if over_ms > after_ms:
        passed = next_times(recurrence.cron, recurrence.time_zone, after_ms, COUNTED)
        missed = sum(time_ms <= over_ms for time_ms in passed)
        after_ms = over_ms
    room = recurrence.ahead if state.spec.type == "scheduled" else 0
    room -= sum(starts_ms > now_ms for starts_ms in family.occurrences)
    due = []
    for starts_ms in next_times(recurrence.cron, recurrence.time_zone, after_ms, recurrence.ahead + COUNTED // 10):
        if starts_ms > now_ms:
            if room <= 0:
                break
            room -= 1
        due.append(starts_ms)
    return due, missed
