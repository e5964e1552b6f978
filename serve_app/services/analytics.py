"""Analytics as they are answered: from the metric series, and of one tournament from its newest snapshot and its attempts.

Sums may be the store's, for these are of integers and exact; means, medians and spreads are made here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.domain.analytics import series as names
from actors.domain.analytics import timeline
from actors.domain.analytics.attempts import AttemptsError, Columns, decode_blocks
from actors.domain.analytics.series import METRICS, average, latency_ms, scores_of, table_of
from actors.domain.analytics.statistics import Bin, Statistics, divided, histogram, parts_per_million, statistics
from actors.domain.analytics.timeline import Curves, Flow, Table
from actors.domain.codec import decode_snapshot
from actors.domain.errors import SnapshotError
from actors.domain.tournament import Tournament
from actors.domain.values import decimal_score
from serve_app.http.problems import invalid, unavailable
from storage.ports import (
    AttemptBlocks,
    MetricsSeries,
    Point,
    Records,
    RecordsUnavailableError,
    SeriesTooLargeError,
    SeriesUnavailableError,
    StoredSnapshot,
)

TYPES: Final = ("scheduled", "instant")
MAX_STEPS: Final = 1_000  # of one series
MAX_SCORES: Final = 5_000_000  # that are put together for one answer: 40 MB
REPORTS_AT_ONCE: Final = 1  # of a process: a large one takes seconds of a core
_FINAL_FIELDS: Final = ("finished", "joined", "completed", "submissions", "scored", "total")


class Range(NamedTuple):
    """Which points: `[from_ms, until_ms)`, of a type or of all."""

    from_ms: int
    until_ms: int
    type: str | None = None
    tournament: str | None = None

    @property
    def tags(self) -> dict[str, str]:
        """The tags of these points."""
        wanted = {"type": self.type, "tournament": self.tournament}
        return {name: value for name, value in wanted.items() if value is not None}


class Summary(NamedTuple):
    """What tournaments came to: those `created` in a range (of which `cancelled` were), what was sent and who joined in it, and the final
    tables of those that finished in it."""

    type: str | None
    created: int
    cancelled: int
    finished: int
    submissions: int
    joins: int
    participants: int
    scored: int
    completed: int
    scores: Statistics


class Report(NamedTuple):
    """All there is to tell of one tournament, as of `state`. `tables` by the ends of the steps (ms)."""

    state: Tournament
    table: Table
    bins: list[Bin]
    width_ms: int
    flow: list[Flow]
    tables: list[tuple[int, Table]]
    curves: Curves


@dataclass(frozen=True, slots=True)
class Analytics:
    """See the module."""

    records: Records
    blocks: AttemptBlocks
    series: MetricsSeries
    gate: asyncio.Semaphore

    async def summaries(self, asked: Range) -> list[Summary]:
        """Of all types together (or the one that is asked for), and of each. Raises Problem 422, 503."""
        parts = {kind: await self._summary(asked._replace(type=kind)) for kind in TYPES if asked.type in (None, kind)}
        scores = await self._scores(asked, asked.until_ms - asked.from_ms, asked.from_ms)
        found = []
        for kind, sums in [(asked.type, _added(parts.values())), *parts.items()]:
            of_kind = [array for (_, its), arrays in scores.items() if kind in (None, its) for array in arrays]
            found.append(Summary(kind, **sums, scores=await asyncio.to_thread(_together, of_kind)))
        return found

    async def values(self, metric: str, asked: Range, step_ms: int) -> list[tuple[int, int | float | None]]:
        """A series: the begin of each step and its value: scores in hundredths, rates in millionths. Raises Problem 422, 503."""
        steps = range(asked.from_ms, asked.until_ms, step_ms)
        found = await self._found(metric, asked, step_ms)
        nothing = 0 if METRICS[metric].unit == "count" else None
        return [(step, found.get(step, nothing)) for step in steps]

    async def report(self, tournament_id: int) -> Report | None:
        """All there is to tell of one tournament; None of one that is not stored. Raises Problem 503."""
        try:
            snapshots = await self.records.shown_snapshots(tournament_id)
            blocks = await self.blocks.blocks(tournament_id)
        except RecordsUnavailableError as error:
            raise unavailable("unavailable", "the records do not answer", 1.0) from error
        for stored in snapshots:
            try:
                async with self.gate:
                    return await asyncio.to_thread(_report, stored, blocks)
            except (SnapshotError, AttemptsError):
                continue
        return None

    # -- series ---------------------------------------------------------------------------------------------------

    async def _found(self, metric: str, asked: Range, step_ms: int) -> Mapping[int, int | float | None]:
        if metric in ("submissions", "joins"):
            return await self._one(names.FLOW, metric, asked, step_ms)
        if metric in ("created", "finished"):
            return await self._one(names.CREATED if metric == "created" else names.FINISHED, metric, asked, step_ms)
        if not METRICS[metric].of_tournaments:
            return await self._of_processes(metric, asked, step_ms)
        if asked.tournament is not None:
            return {step: _of_table(metric, table) for step, table in (await self._tables(asked, step_ms)).items()}
        if METRICS[metric].scores:
            scores = await self._scores(asked, step_ms, asked.from_ms)
            steps: dict[int, list[NDArray[np.int64]]] = {}
            for (step, _), arrays in scores.items():
                steps.setdefault(step, []).extend(arrays)
            pooled = {step: await asyncio.to_thread(_together, arrays) for step, arrays in steps.items()}
            return {step: _of_scores(metric, found) for step, found in pooled.items()}
        sums = await self._sums(names.FINISHED, _FINAL_FIELDS, asked, step_ms)
        return {step: _of_sums(metric, each) for step, each in sums.items()}

    async def _one(self, measurement: str, field: str, asked: Range, step_ms: int) -> dict[int, int]:
        sums = await self._sums(measurement, [field], asked, step_ms)
        return {step: each[field] for step, each in sums.items()}

    async def _of_processes(self, metric: str, asked: Range, step_ms: int) -> dict[int, int | float | None]:
        if metric == "sockets":
            sums = await self._sums(names.PROCESS, ["socket_ms"], asked, step_ms)
            return {step: divided(each["socket_ms"], step_ms) for step, each in sums.items()}
        sums = await self._sums(names.PROCESS, names.LATENCY_FIELDS, asked, step_ms)
        percent = int(metric.removeprefix("latency_p"))
        return {step: latency_ms([each[name] for name in names.LATENCY_FIELDS], percent) for step, each in sums.items()}

    async def _tables(self, asked: Range, step_ms: int) -> dict[int, Table]:
        """How one tournament stood at last in each step."""
        found: dict[int, Table] = {}
        for point in await self._read(names.TABLES, asked):
            fields = {name: value for name, value in point.fields.items() if isinstance(value, int)}
            if fields.get("joined"):
                found[_step(point.time_ms, asked, step_ms)] = table_of(fields)
        return found

    async def _scores(self, asked: Range, step_ms: int, from_ms: int) -> dict[tuple[int, str], list[NDArray[np.int64]]]:
        """All scores of the final tables, by step and type."""
        found: dict[tuple[int, str], list[NDArray[np.int64]]] = {}
        count = 0
        for point in await self._read(names.SCORES, asked):
            text = point.fields.get("values")
            if not point.fields.get("count") or not isinstance(text, str):
                continue
            scores = scores_of(text)
            count += len(scores)
            if count > MAX_SCORES:
                raise _too_much()
            step = from_ms + (point.time_ms - from_ms) // step_ms * step_ms
            found.setdefault((step, point.tags.get("type", "")), []).append(scores)
        return found

    async def _summary(self, asked: Range) -> dict[str, int]:
        whole_ms = asked.until_ms - asked.from_ms
        created = await self._total(names.CREATED, ["created", "cancelled"], asked, whole_ms)
        flow = await self._total(names.FLOW, ["submissions", "joins"], asked, whole_ms)
        final = await self._total(names.FINISHED, _FINAL_FIELDS, asked, whole_ms)
        return {
            **created,
            **flow,
            "finished": final["finished"],
            "participants": final["joined"],
            "scored": final["scored"],
            "completed": final["completed"],
        }

    async def _total(self, measurement: str, fields: Sequence[str], asked: Range, step_ms: int) -> dict[str, int]:
        sums = (await self._sums(measurement, fields, asked, step_ms)).values()
        return {name: sum(each[name] for each in sums) for name in fields}

    async def _sums(
        self, measurement: str, fields: Sequence[str], asked: Range, step_ms: int
    ) -> dict[int, dict[str, int]]:
        try:
            return await self.series.sums(measurement, fields, asked.from_ms, asked.until_ms, step_ms, asked.tags)
        except SeriesTooLargeError as error:
            raise _too_much() from error
        except SeriesUnavailableError as error:
            raise unavailable("unavailable", "the metric series do not answer", 5.0) from error

    async def _read(self, measurement: str, asked: Range) -> list[Point]:
        try:
            return await self.series.read(measurement, asked.from_ms, asked.until_ms, asked.tags)
        except SeriesTooLargeError as error:
            raise _too_much() from error
        except SeriesUnavailableError as error:
            raise unavailable("unavailable", "the metric series do not answer", 5.0) from error


def rate(part: int, whole: int) -> float | None:
    """A rate as shown, to six digits."""
    millionths = parts_per_million(part, whole)
    return None if millionths is None else millionths / 1_000_000


def score(hundredths: int | None) -> float | None:
    """Hundredths as shown."""
    return None if hundredths is None else decimal_score(hundredths)


def _too_much() -> Exception:
    return invalid("from", "expected a shorter range, or one type or tournament: this one has too many points")


def _step(time_ms: int, asked: Range, step_ms: int) -> int:
    return asked.from_ms + (time_ms - asked.from_ms) // step_ms * step_ms


def _added(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    every = list(parts)
    return {name: sum(each[name] for each in every) for name in every[0]}


def _together(arrays: Sequence[NDArray[np.int64]]) -> Statistics:
    return statistics(np.sort(np.concatenate(arrays)) if arrays else np.empty(0, np.int64))


def _of_table(metric: str, table: Table) -> int | None:
    if metric == "participation_rate":
        return parts_per_million(table.scored, table.joined)
    if metric == "completion_rate":
        return parts_per_million(table.completed, table.joined)
    return _of_scores(metric, table.scores)


def _of_scores(metric: str, scores: Statistics) -> int | None:
    value: int | None = getattr(scores, metric.removesuffix("_score"))
    return value


def _of_sums(metric: str, sums: Mapping[str, int]) -> int | None:
    if metric == "average_score":
        return average(sums["total"], sums["scored"])
    part = sums["scored" if metric == "participation_rate" else "completed"]
    return parts_per_million(part, sums["joined"])


def _report(stored: StoredSnapshot, blocks: Sequence[bytes]) -> Report:
    """Raises SnapshotError, AttemptsError."""
    state = decode_snapshot(stored.data, stored.deltas)
    attempts = decode_blocks(blocks)
    attempts = Columns(*(column[attempts.offsets <= state.offset] for column in attempts))
    width = timeline.width_ms(state)
    return Report(
        state=state,
        table=timeline.table(state),
        bins=histogram(timeline.table_scores(state)),
        width_ms=width,
        flow=timeline.flow(state, attempts, width),
        tables=[(time_ms + width, table) for time_ms, table in timeline.tables(state, attempts, width)],
        curves=timeline.curves(state, attempts, width),
    )
