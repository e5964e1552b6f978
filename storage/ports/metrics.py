"""Metric series: points in time for dashboards and analytics. Never in the way of the tournaments.

Guarantees
- Identity: a point is named by its measurement, tags and time. Written again, its fields replace those of the same name, the others stay: so the
  same again changes nothing, and processes must differ in a tag.
- Order: the later of two writes of one process wins. Of two processes that write the same point either may.
- Exactness: integers are of 64 bits and come back as written, and so do their sums, as long as these fit.
- Loss: allowed and counted. When the bounded buffer is full the oldest points are dropped; a sink that is away never blocks or raises. What
  `flush` found a place for is stored; a point that the store refuses is dropped alone, whatever stood beside it.
- Reads see every flush of this process that returned with nothing left waiting, and soon those of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from storage.ports.errors import StorageError

Value = float | int | str
Tags = Mapping[str, str | Sequence[str]]  # a tag's value, or several of which it is one
MAX_READ_POINTS: Final = 200_000  # of one read


class SeriesUnavailableError(StorageError):
    """The store of the series does not answer, or not to us."""


class SeriesTooLargeError(StorageError):
    """More points than a read may give: ask for less."""


class Point(NamedTuple):
    """One measurement: tags are indexed text, fields are numbers or text (at most 60,000 characters), `time_ms` is ms since 1970."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    time_ms: int


class MetricsSeries(Protocol):
    """See the module's guarantees."""

    def write(self, points: Sequence[Point]) -> None:
        """Take points for a later flush; never blocks."""

    async def flush(self) -> None:
        """Write out what is buffered; on failure the points stay, within the bound."""

    @property
    def waiting(self) -> int:
        """How many points wait to be written."""

    @property
    def dropped(self) -> int:
        """How many points were lost so far."""

    async def read(self, measurement: str, from_ms: int, until_ms: int, tags: Tags | None = None) -> list[Point]:
        """The points with `from_ms <= time_ms < until_ms` and these tags, by time.

        Raises SeriesUnavailableError, and SeriesTooLargeError beyond MAX_READ_POINTS.
        """

    async def sums(
        self,
        measurement: str,
        fields: Sequence[str],
        from_ms: int,
        until_ms: int,
        step_ms: int,
        tags: Tags | None = None,
    ) -> dict[int, dict[str, int]]:
        """Sums of integer fields over all such points, by the begin of the steps (multiples of `step_ms` since 1970) that have any.

        Raises SeriesUnavailableError.
        """

    async def close(self) -> None:
        """Flush and release."""
