"""The points that wait to be written: a bounded queue from which a batch is taken, and put back if it was not written."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from storage.ports.metrics import Point


class PointBuffer:
    """At most `max_points` wait, beside those that are taken; beyond, the oldest are dropped and counted in `dropped`."""

    def __init__(self, max_points: int) -> None:
        self._max_points = max_points
        self._waiting: deque[Point] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, points: Sequence[Point]) -> None:
        """These wait, too."""
        self._waiting.extend(points)
        self._drop_beyond(self._max_points)

    def drop_all(self) -> None:
        """Nobody will write them."""
        self._drop_beyond(0)

    @contextmanager
    def taken(self, count: int) -> Iterator[list[Point]]:
        """The oldest, at most `count`. What the body leaves in the list, however it ends, waits again, before all others."""
        points = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        try:
            yield points
        finally:
            self._waiting.extendleft(reversed(points))
            self._drop_beyond(self._max_points)

    def _drop_beyond(self, count: int) -> None:
        while len(self._waiting) > count:
            self._waiting.popleft()
            self.dropped += 1
