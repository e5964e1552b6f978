"""Progress: what may be dropped from the windows, what may be committed, and how far behind the slowest scope is."""

from __future__ import annotations

from types import SimpleNamespace

from actors.domain.delivery import ScoreItem
from actors.ingest.feed import Position
from actors.ingest.parse import Parsed
from actors.ingest.partition_windows import PartitionWindows
from actors.ingest.progress import Progress


def feed(*, healthy: bool = True, **scopes: Position) -> SimpleNamespace:
    """A feed as progress sees it; p0 is the shared scope of partition 0, p0_7 tournament 7's own in it."""
    positions = {}
    for name, position in scopes.items():
        partition, _, tournament = name[1:].partition("_")
        positions[int(partition), int(tournament or 0)] = position
    return SimpleNamespace(healthy=healthy, positions=positions)


def at(watermark: int | None, durable: int = -1, known: int = -1) -> Position:
    return Position(watermark, durable, known)


class Bench:
    """Two partitions; partition 0 has a record at each offset from 0 to 9, appended at 1000 ms and the offset."""

    def __init__(self, **feeds: SimpleNamespace) -> None:
        self.windows = PartitionWindows([0, 1])
        self.windows[0].extend(9, [Parsed(0, ScoreItem(n, 1000 + n, 1, 1, f"e{n}", 0)) for n in range(10)])
        self.unplaced: list[tuple[int, int]] = []
        self.unmoved: list[tuple[int, int]] = []
        self.progress = Progress(self.windows, feeds, self, self)  # type: ignore[arg-type]


def test_a_window_drops_what_the_slowest_owner_that_is_well_has_taken() -> None:
    bench = Bench(a=feed(p0=at(7), p0_5=at(4)), b=feed(healthy=False, p0=at(1)), c=feed(p0=at(None)))
    bench.progress.trim()
    assert (bench.windows[0].after, len(bench.windows[0])) == (4, 5)


def test_one_that_catches_up_from_the_log_holds_nothing_up() -> None:
    bench = Bench(a=feed(p0=at(7)))
    bench.progress.trim()
    assert bench.windows[0].after == 7
    behind = Bench(a=feed(p0=at(7)), b=feed(p0=at(2)))
    behind.windows[0].trim(5)
    behind.progress.trim()
    assert behind.windows[0].after == 7


def test_since_when_a_scope_is_behind_stays_known_once_its_records_have_left_the_window() -> None:
    away = at(None, known=3)
    bench = Bench(a=feed(p0=at(9)), b=feed(healthy=False, p0=away))
    bench.progress.trim()
    assert len(bench.windows[0]) == 0
    assert bench.progress.oldest_unapplied_ms() == {0: 1004}
    away.watermark = 9
    bench.progress.trim()
    assert bench.progress.oldest_unapplied_ms() == {}


def test_what_may_be_committed_is_the_least_that_is_durable() -> None:
    bench = Bench(a=feed(p0=at(9, durable=8), p1=at(-1)), b=feed(healthy=False, p0=at(None, durable=6)))
    assert bench.progress.durable() == {0: 6}, "nothing of partition 1 is durable"


def test_nothing_is_committed_beyond_a_create_whose_tournament_has_no_owner_yet() -> None:
    bench = Bench(a=feed(p0=at(9, durable=9)))
    bench.unplaced = [(0, 4)]
    assert bench.progress.durable() == {0: 4}
    bench.unplaced = [(0, -1)]
    assert bench.progress.durable() == {}


def test_nothing_is_committed_beyond_what_was_read() -> None:
    """There may be creates of dedicated tournaments whose scopes nobody knows yet."""
    bench = Bench(a=feed(p0=at(20, durable=20)))
    assert bench.progress.durable() == {0: 9}


def test_lag_is_that_of_the_slowest_scope_up_to_what_was_read_or_the_log_s_end() -> None:
    bench = Bench(a=feed(p0=at(7), p1=at(-1)), b=feed(healthy=False, p0=at(None, durable=2, known=5)))
    assert bench.progress.lag_records() == {0: 4, 1: 0}
    assert bench.progress.lag_records({0: 20, 1: 3}) == {0: 15, 1: 4}


def test_the_oldest_record_that_some_scope_has_not_taken() -> None:
    bench = Bench(a=feed(p0=at(7), p1=at(-1)), b=feed(p0_5=at(2)))
    assert bench.progress.oldest_unapplied_ms() == {0: 1003}
