"""Metric series: points in time for dashboards and analytics. Never in the way of the tournaments.

Guarantees: order as written per process; no duplicates; loss is allowed and counted: when the bounded buffer is full the
oldest points are dropped, and a sink that is away never blocks or raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Point(NamedTuple):
    """One measurement: tags are indexed text, fields are numbers, `time_ms` is ms since 1970."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, float]
    time_ms: int


class MetricsSeries(Protocol):
    """See the module's guarantees."""

    def write(self, points: Sequence[Point]) -> None:
        """Take points for a later flush; never blocks."""

    async def flush(self) -> None:
        """Write out what is buffered; on failure the points stay, within the bound."""

    @property
    def dropped(self) -> int:
        """How many points were lost so far."""

    async def close(self) -> None:
        """Flush and release."""
