"""What the front counts, for Prometheus. Processes write beside each other into PROMETHEUS_MULTIPROC_DIR, which must be set before
this module is first imported; without it (tests) the metrics are this process's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.utils import floatToGoString

from actors.domain.analytics import series
from storage.ports import MetricsSeries, Point, ScoreLog, Updates

PREFIX: Final = "palio_"
LATENCY_BUCKETS_S: Final = tuple(ms / 1000 for ms in series.LATENCY_BUCKETS_MS)

ACCEPTED: Final = Counter("palio_accepted_total", "Records taken into the score log.", ["entrypoint", "kind"])
REJECTED: Final = Counter("palio_rejected_total", "Requests answered with an error.", ["entrypoint", "code"])
STATEMENTS_IGNORED: Final = Counter(
    "palio_statements_ignored_total", "xAPI statements that were taken and are no score, by why.", ["reason"]
)
LOG_LINES_DROPPED: Final = Counter("palio_log_lines_dropped_total", "Log lines about clients' connections left out.")
UNREAD_BODY_BYTES: Final = Gauge(
    "palio_unread_body_bytes",
    "Bytes of request bodies that are not whole, or wait for their turn.",
    multiprocess_mode="livesum",
)
EXPORTS: Final = Counter("palio_exports_total", "Results given out as files.", ["format"])
READS: Final = Counter("palio_reads_total", "Reads by where they were answered from.", ["source"])
VIEW_SECONDS: Final = Histogram(
    "palio_view_seconds", "Time to answer a tournament view.", ["entrypoint"], buckets=LATENCY_BUCKETS_S
)
SUBMISSION_SECONDS: Final = Histogram(
    "palio_submission_seconds", "Time to take a score into the log.", ["entrypoint"], buckets=LATENCY_BUCKETS_S
)
APPLIED_SECONDS: Final = Histogram(
    "palio_applied_seconds", "Time from a waited-for request to its outcome.", ["entrypoint"], buckets=LATENCY_BUCKETS_S
)
PUSH_SECONDS: Final = Histogram(
    "palio_push_seconds", "Time from an update's arrival to its last socket.", buckets=LATENCY_BUCKETS_S
)
SOCKETS: Final = Gauge("palio_sockets", "Live sockets open.", multiprocess_mode="livesum")
LIVE_CONNECTIONS: Final = Counter("palio_live_connections_total", "Live sockets opened.")
LIVE_FAILURES: Final = Counter(
    "palio_live_failures_total", "Live sockets refused or ended for a reason on this side.", ["code"]
)
HANDSHAKES: Final = Gauge(
    "palio_live_handshakes", "Live handshakes that wait for their answer.", multiprocess_mode="livesum"
)
SUBSCRIPTIONS: Final = Gauge(
    "palio_subscriptions", "Tournaments watched, over all sockets.", multiprocess_mode="livesum"
)
DELIVERED: Final = Counter("palio_delivered_frames_total", "Frames written to live sockets.")
CONFLATED: Final = Counter("palio_conflated_total", "Times a slow socket was set back to a snapshot.")
RESYNCS: Final = Counter(
    "palio_resyncs_total", "Times a watched tournament was brought in step by a snapshot.", ["reason"]
)
TOPICS: Final = Gauge("palio_watched_tournaments", "Different tournaments watched.", multiprocess_mode="livesum")
WAITERS: Final = Gauge("palio_waiters", "Requests waiting for an outcome.", multiprocess_mode="livesum")
LOG_QUEUED: Final = Gauge(
    "palio_log_queued_records", "Records waiting in the processes to be appended.", multiprocess_mode="livesum"
)
LOST_PUBLICATIONS: Final = Counter(
    "palio_lost_publications_total", "Publications of updates and replies that did not reach the broker, or not surely."
)

CLOSED_PARTITIONS: Final = Gauge(
    "palio_closed_partitions",
    "Partitions that take no submissions, since what is in them is not applied and their retention is near.",
    multiprocess_mode="livemax",
)

CLOCK_AHEAD_SECONDS: Final = Gauge(
    "palio_log_clock_ahead_seconds",
    "How far the score log's clock, by which tournaments start and end, is ahead of the wall clock.",
    multiprocess_mode="livemax",
)

DROPPED_POINTS: Final = Counter("palio_dropped_points_total", "Points of the metric series that were lost.")


class PortMetrics:
    """Copies what a process's own ports know into its metrics."""

    def __init__(self, log: ScoreLog, updates: Updates, series: MetricsSeries | None = None) -> None:
        self._log = log
        self._updates = updates
        self._series = series
        self._lost = 0
        self._dropped = 0

    def update(self) -> None:
        """To be called every second or so."""
        LOG_QUEUED.set(self._log.queued)
        lost, dropped = self._updates.lost_publications, self._series.dropped if self._series is not None else 0
        LOST_PUBLICATIONS.inc(max(0, lost - self._lost))
        DROPPED_POINTS.inc(max(0, dropped - self._dropped))
        self._lost, self._dropped = lost, dropped


class EntrypointPoints:
    """Points of the metric series: what this process did since the last one. `process` names it for its life."""

    def __init__(self, process: str, now_ms: int) -> None:
        self._tags = {"process": process}
        self._at_ms = now_ms
        self._seen = _submission_counts()

    def point(self, now_ms: int) -> Point:
        """`socket_ms`: open sockets times the time since the last point; how many submissions were taken within each latency."""
        counts = _submission_counts()
        fields = {
            name: after - before for name, before, after in zip(series.LATENCY_FIELDS, self._seen, counts, strict=True)
        }
        (sockets,) = SOCKETS.collect()
        span_ms = max(0, now_ms - self._at_ms)
        fields["socket_ms"] = round(sum(sample.value for sample in sockets.samples)) * span_ms
        self._seen, self._at_ms = counts, now_ms
        return Point(series.PROCESS, self._tags, fields, now_ms)


def _submission_counts() -> list[int]:
    """How many submissions this process took within each bucket's bounds, since it started."""
    upto = [0] * len(series.LATENCY_FIELDS)
    (seconds,) = SUBMISSION_SECONDS.collect()
    bounds: list[str] = [floatToGoString(bound) for bound in (*LATENCY_BUCKETS_S, float("inf"))]  # type: ignore[no-untyped-call]
    for sample in seconds.samples:
        if sample.name.endswith("_bucket"):
            upto[bounds.index(sample.labels["le"])] += round(sample.value)
    return [count - before for before, count in zip([0, *upto], upto, strict=False)]


class _OursAlone(MultiProcessCollector):
    """Ray's own processes inherit the directory and count there too, with sums over processes that mean nothing."""

    def collect(self) -> list[Metric]:
        metrics: Iterable[Metric] = super().collect()  # type: ignore[no-untyped-call]
        return [metric for metric in metrics if metric.name.startswith(PREFIX)]


def exposition() -> tuple[bytes, str]:
    """The metrics of all processes (or of this one alone) in Prometheus' text form, and its content type."""
    registry = REGISTRY
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if shared:
        forget_dead(Path(shared))
        registry = CollectorRegistry()
        _OursAlone(registry)  # type: ignore[no-untyped-call]  # the library has no annotation here
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_dead(directory: Path) -> None:
    """Drop the live gauges of processes that are gone: a killed gateway has no sockets. Their counters stay, or totals would fall."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            file.unlink(missing_ok=True)
