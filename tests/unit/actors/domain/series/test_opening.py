"""What is to be opened, by a clock that may have stood still for long."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.messages.spec import Recurrence
from actors.domain.series.opening import due_occurrences
from tests.unit.actors.domain.commands.test_family import Parent

MINUTE = 60_000


def series(ahead: int = 1, duration_ms: int = MINUTE // 2, **fields: object) -> Parent:
    recurrence = Recurrence(cron="* * * * *", time_zone="UTC", duration_ms=duration_ms, ahead=ahead)
    return Parent(**{"recurrence": recurrence, **fields})


def test_the_next_ones_are_opened_ahead() -> None:
    assert due_occurrences(series(ahead=3).now, 600) == ([MINUTE, 2 * MINUTE, 3 * MINUTE], 0)
    parent = series(ahead=2)
    parent.open(600, 0, MINUTE)
    assert due_occurrences(parent.now, 700) == ([2 * MINUTE], 0)
    parent.open(700, MINUTE, 2 * MINUTE)
    assert due_occurrences(parent.now, MINUTE - 1) == ([], 0)
    assert due_occurrences(parent.now, MINUTE) == ([3 * MINUTE], 0)


def test_what_is_over_is_missed_and_what_still_runs_opens_late() -> None:
    parent = series()
    parent.open(600, 0, MINUTE)
    assert due_occurrences(parent.now, 5 * MINUTE + 1) == ([5 * MINUTE, 6 * MINUTE], 3)
    assert due_occurrences(parent.now, 5 * MINUTE + MINUTE // 2) == ([6 * MINUTE], 4)


def test_instant_ones_open_at_their_time() -> None:
    parent = series(type="instant", capacity=2)
    assert due_occurrences(parent.now, MINUTE - 1) == ([], 0)
    assert due_occurrences(parent.now, MINUTE) == ([MINUTE], 0)


@given(st.integers(1, 5), st.integers(1, 5 * MINUTE), st.lists(st.integers(0, 20 * MINUTE), max_size=10))
@settings(max_examples=100, deadline=None)
def test_every_time_is_opened_or_missed_once(ahead: int, duration_ms: int, steps: list[int]) -> None:
    parent, now_ms = series(ahead, duration_ms), 600
    opened: list[int] = []
    for step in steps:
        now_ms += step
        due, missed = due_occurrences(parent.now, now_ms)
        for starts_ms in due:
            assert parent.open(now_ms, opened[-1] if opened else 0, starts_ms, missed) == ""
            opened.append(starts_ms)
            missed = 0
    if opened:
        assert opened == sorted(set(opened))
        assert len(opened) + parent.family.missed == opened[-1] // MINUTE
        assert sum(starts_ms > now_ms for starts_ms in opened) == ahead
