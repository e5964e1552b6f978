"""The window of a partition: slices, trimming, progress over empty ranges."""

from __future__ import annotations

from actors.domain.delivery import ScoreItem
from actors.ingest.parse import Parsed
from actors.ingest.partition_windows import Window


def record(offset: int, time_ms: int = 0) -> Parsed:
    return Parsed(3, ScoreItem(offset, time_ms, 1, 1, f"e{offset}", 0))


def offsets(records: list[Parsed]) -> list[int]:
    return [r.item.offset for r in records]


def test_a_slice_reaches_as_far_as_its_last_record_or_to_the_end() -> None:
    window = Window(3)
    window.extend(9, [record(2), record(4), record(7)])
    assert window.slice(-1, 2)[0] == 4
    assert offsets(window.slice(-1, 2)[1]) == [2, 4]
    upto, records = window.slice(4, 2)
    assert (upto, offsets(records)) == (9, [7])


def test_an_empty_range_is_progress() -> None:
    window = Window(3)
    window.extend(5, [])
    assert window.slice(-1, 10) == (5, [])


def test_trimming_keeps_what_comes_after() -> None:
    window = Window(3)
    window.extend(9, [record(2), record(4), record(7)])
    window.trim(4)
    assert (window.after, len(window), offsets(window.slice(4, 10)[1])) == (4, 1, [7])
    window.trim(3)  # never back
    assert window.after == 4


def test_trimming_beyond_the_end_stops_there() -> None:
    window = Window(3)
    window.extend(9, [record(2)])
    window.trim(100)
    assert (window.after, window.upto, len(window)) == (9, 9, 0)


def test_start_places_it_anew() -> None:
    window = Window(3)
    window.extend(9, [record(2)])
    window.start(20)
    assert (window.after, window.upto, len(window)) == (20, 20, 0)


def test_the_time_of_the_next_record() -> None:
    window = Window(3)
    window.extend(9, [record(2, 100), record(7, 250)])
    assert [window.next_time_ms(after) for after in (-1, 2, 7)] == [100, 250, None]
