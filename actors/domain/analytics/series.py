"""What analytics keep in the metric series: measurements, their fields, and how many scores become text and back.

All fields are integers (scores in hundredths) but for `values`. A point whose integers are all 0 says nothing: it stands in place of one that
was true before. Tags: `tournament` (id) and `type`.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.domain.analytics.statistics import Statistics, divided
from actors.domain.analytics.timeline import Table

CREATED: Final = "tournament_created"  # at its creation: how it is now
FLOW: Final = "tournament_flow"  # what came in within a minute, at the minute's begin
TABLES: Final = "tournament_tables"  # how its table stood at the end of a step, at the step's begin
FINISHED: Final = "tournament_finished"  # at its end: the final table
SCORES: Final = "tournament_scores"  # at its end: all scores in it, in parts
PROCESS: Final = "entrypoint"  # what an entrypoint did in the time since its last point; tag `process`
MEASUREMENTS: Final = (CREATED, FLOW, TABLES, FINISHED, SCORES)
PART_SCORES: Final = 6_000  # of one part: 5 bytes each at the worst, in base64 below what a text may have
LATENCY_BUCKETS_MS: Final = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0)
LATENCY_FIELDS: Final = tuple(
    f"le{n}" for n in range(len(LATENCY_BUCKETS_MS) + 1)
)  # how many took so long, each by itself


class Metric(NamedTuple):
    """A series that one can ask for: its unit, and whether it is about tournaments, so that it can be asked for by type and tournament."""

    unit: str
    of_tournaments: bool = True
    scores: bool = False  # needs all scores of those that ended in the step


METRICS: Final[dict[str, Metric]] = {
    "submissions": Metric("count"),
    "joins": Metric("count"),
    "created": Metric("count"),
    "finished": Metric("count"),
    "participation_rate": Metric("ratio"),
    "completion_rate": Metric("ratio"),
    "average_score": Metric("score"),
    "median_score": Metric("score", scores=True),
    "stddev_score": Metric("score", scores=True),
    "q1_score": Metric("score", scores=True),
    "q3_score": Metric("score", scores=True),
    "sockets": Metric("count", of_tournaments=False),
    "latency_p50": Metric("ms", of_tournaments=False),
    "latency_p95": Metric("ms", of_tournaments=False),
}


def table_fields(table: Table) -> dict[str, int]:
    """A table as fields."""
    scores = table.scores
    fields = {"joined": table.joined, "completed": table.completed, "submissions": table.submissions}
    given = {name: value for name, value in scores._asdict().items() if name != "size" and value is not None}
    return {**fields, "scored": scores.size, **given}


def table_of(fields: dict[str, int]) -> Table:
    """The inverse of `table_fields`."""
    given = {name: fields[name] for name in Statistics._fields if name in fields}
    scores = Statistics(size=fields["scored"], **given)
    return Table(fields["joined"], fields["completed"], fields["submissions"], scores)


def score_texts(ordered: NDArray[np.int64]) -> list[str]:
    """Scores in ascending order (hundredths) as texts of parts, at least one."""
    parts = np.split(ordered, range(PART_SCORES, len(ordered), PART_SCORES))
    return [
        base64.b64encode(zlib.compress(np.diff(part, prepend=0).astype("<i8").tobytes())).decode() for part in parts
    ]


def scores_of(text: str) -> NDArray[np.int64]:
    """The scores of one part. Raises ValueError."""
    try:
        unpack = zlib.decompressobj()
        data = unpack.decompress(base64.b64decode(text, validate=True), 8 * PART_SCORES + 1)
        differences = np.frombuffer(data, "<i8").astype(np.int64)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ValueError(f"not a part of scores: {error}") from error
    if not unpack.eof or len(differences) > PART_SCORES:
        raise ValueError(f"expected {PART_SCORES} scores at most, whole")
    return differences.cumsum()


def latency_ms(counts: list[int], percent: int) -> float | None:
    """The bound of the bucket in which so many percent of the requests were answered; None without requests.

    `counts` by LATENCY_BUCKETS_MS and one more for all that took longer, for which the last bound stands.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, seen = -(-total * percent // 100), 0
    for bound, count in zip(LATENCY_BUCKETS_MS, counts, strict=False):
        seen += count
        if seen >= wanted:
            return bound
    return LATENCY_BUCKETS_MS[-1]


def average(total: int, count: int) -> int | None:
    """The mean in hundredths; None of nothing."""
    return divided(total, count) if count else None
