"""Progress: what the windows may drop, what is durable in the log's sense, and how far behind the slowest scope of a partition is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from actors.ingest.feed import Feed, Position
from actors.ingest.moves import Moves
from actors.ingest.partition_windows import PartitionWindows
from actors.ingest.placement import Placement


class Progress:
    """Over the windows and all feeds, which come and go in `feeds`."""

    def __init__(
        self, windows: PartitionWindows, feeds: Mapping[str, Feed], placement: Placement, moves: Moves
    ) -> None:
        self._windows = windows
        self._feeds = feeds
        self._placement = placement
        self._moves = moves

    def _positions(self, *, healthy: bool = False) -> Iterator[tuple[int, Position]]:
        """(partition, position) of every scope that is fed; `healthy`: only of owners that answer."""
        for feed in self._feeds.values():
            if feed.healthy or not healthy:
                for (partition, _), position in feed.positions.items():
                    yield partition, position

    def trim(self) -> None:
        """Drop from the windows what every owner that is well has taken."""
        low = {partition: window.upto for partition, window in self._windows.items()}
        for partition, position in self._positions(healthy=True):
            # one that catches up from the log is outside the window, and holds nothing up
            if position.watermark is not None and position.watermark >= self._windows[partition].after:
                low[partition] = min(low[partition], position.watermark)
        for partition, position in self._positions():
            if position.at >= low[partition]:
                position.behind_since_ms = None
            elif position.behind_since_ms is None:
                position.behind_since_ms = self._windows[partition].next_time_ms(position.at)
        for partition, window in self._windows.items():
            window.trim(low[partition])

    def durable(self) -> dict[int, int]:
        """The offset of each partition up to which all is durable in every scope: what may be committed. Without a partition that has none."""
        durable: dict[int, int] = {}
        for partition, position in self._positions():
            durable[partition] = min(durable.get(partition, position.durable), position.durable)
        for partition, after in [*self._placement.unplaced, *self._moves.unmoved]:
            durable[partition] = min(durable.get(partition, after), after)
        # beyond the windows there may be creates of dedicated tournaments, whose scopes nobody knows yet
        upto = {partition: min(offset, self._windows[partition].upto) for partition, offset in durable.items()}
        return {partition: offset for partition, offset in upto.items() if offset >= 0}

    def lag_records(self, ends: Mapping[int, int] | None = None) -> dict[int, int]:
        """For each partition, how many offsets its slowest scope is behind `ends` (the log's last offsets) or, without them, what was read."""
        lag: dict[int, int] = {}
        for partition, position in self._positions():
            upto = max(self._windows[partition].upto, (ends or {}).get(partition, -1))
            lag[partition] = max(lag.get(partition, 0), upto - position.at)
        return lag

    def oldest_unapplied_ms(self) -> dict[int, int]:
        """For each partition with records that some scope has not taken, as far as they were read, the append time of the oldest."""
        oldest: dict[int, int] = {}
        for partition, position in self._positions():
            time_ms = position.behind_since_ms or self._windows[partition].next_time_ms(position.at)
            if time_ms is not None:
                oldest[partition] = min(oldest.get(partition, time_ms), time_ms)
        return oldest
