"""Prometheus metrics of owners and ingest. Multi-process mode: every process writes its own file, `/metrics` adds them up."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from actors.analytics.collector import Collector
from actors.archiver.archiver import Archiver
from actors.domain.prizes.ledger import State
from actors.ingest.feed import TURNS
from actors.ingest.ingest import Ingest
from actors.notifier.notifier import Notifier
from actors.owner.owner import Owner
from actors.prizes.payer import Payer
from actors.prizes.settler import Settler
from serve_app.metrics import DROPPED_POINTS
from storage.ports import ArchivePlace, MetricsSeries, Point

if TYPE_CHECKING:
    from storage.redis_client.cluster import RedisNodes


def _gauge(name: str, description: str, *labels: str) -> Gauge:
    """Of several processes that told the same one, the last counts, as long as it lives."""
    return Gauge(name, description, labels, multiprocess_mode="livemostrecent")


RECORDS = Counter(
    "palio_records_total", "Records applied, ignored, refused or rejected, by reason.", ["outcome", "reason"]
)
UPDATES = Counter("palio_updates_published_total", "Live updates published by owners.")
CHECKPOINTS = Counter("palio_checkpoints_saved_total", "Tournament snapshots saved.")
CHECKPOINT_FAILURES = Counter("palio_checkpoint_failures_total", "Checkpoint transactions that the store did not take.")
NOTICE_EVENTS = Counter("palio_notice_events_total", "Events of tournaments that are told to participants.")
NOTICES = Counter("palio_notices_total", "Letters by what became of a try, and why.", ["channel", "outcome", "reason"])
NOTICE_CHANNEL_FAILURES = _gauge(
    "palio_notice_channel_failures", "Times running that a channel's server did not take letters.", "channel"
)
NOTICE_JOBS = _gauge("palio_notice_jobs", "Events that a channel is still telling, 16 at most.", "channel")
NOTICE_AGE = _gauge("palio_notice_age_seconds", "Age of the oldest event that a channel is still telling.", "channel")
ACTIVE = _gauge("palio_active_tournaments", "Tournaments neither finished nor cancelled.", "owner")
CHECKPOINT_AGE = _gauge("palio_checkpoint_age_seconds", "Time since the last whole checkpoint.", "owner")
ERRANDS = _gauge(
    "palio_waiting_errands", "Joins, leaves and creates that series and cohorts have still to write.", "owner"
)
UNSAVED = _gauge("palio_unsaved_tournaments", "Tournaments with changes that are not durable yet.", "owner")
READ_MODELS_WAITING = _gauge("palio_copies_waiting", "Tournaments whose read model is behind.", "owner")
READ_MODEL_CHANGES = Counter("palio_copies_written_total", "Changes of read models that were written.")
READ_MODEL_FAILURES = Counter("palio_copy_failures_total", "Writes of read models that failed.")
READ_MODELS_REPAIRED = Counter("palio_copies_repaired_total", "Read models found wrong or gone, and written anew.")
READ_MODEL_REFUSALS = Counter(
    "palio_copy_refused_for_memory_total", "Writes of read models refused for want of memory."
)
LAG = _gauge(
    "palio_lag_records", "Offsets the slowest scope of a partition is behind the log's end.", "ingest", "partition"
)
LAG_SECONDS = _gauge(
    "palio_lag_seconds", "Age of a partition's oldest record that is read and not applied.", "ingest", "partition"
)
BUFFERED = _gauge("palio_ingest_buffered_records", "Decoded records in ingest's windows.", "ingest")
REDIS_MEMORY = _gauge("palio_redis_memory_ratio", "Used memory of a Redis primary by its limit.", "node")
DELIVERED = Counter(
    "palio_delivered_records_total",
    "Records that owners took, by whose turn it was: the nearest `deadline` while an owner is behind, or the `log`'s order.",
    ["turn"],
)
DELIVERY_WAIT = _gauge(
    "palio_delivery_longest_wait_seconds",
    "Age of the oldest record that was delivered in the last second, by turn; 0 without one.",
    "ingest",
    "turn",
)
MOVED = Counter("palio_moved_records_total", "Scores that lay in the wrong partition and were moved to theirs.")
MOVES_WAITING = _gauge("palio_moves_waiting", "Scores in the wrong partition that are not moved yet.", "ingest")
DEAD_LETTERS = Counter("palio_dead_letters_total", "Records that could not be applied.")


class RedisMemory:
    """Tells how full each primary of Redis is."""

    def __init__(self, nodes: RedisNodes) -> None:
        self._nodes = nodes
        self._told: set[str] = set()

    async def update(self) -> None:
        """To be called every few seconds."""
        from storage.redis_client.memory import memory_shares

        shares = {f"{host}:{port}": share for (host, port), share in (await memory_shares(self._nodes)).items()}
        self._told |= shares.keys()  # a series cannot be taken back: a node that is gone, or is away, shows 0
        for node in self._told:
            REDIS_MEMORY.labels(node).set(shares.get(node, 0.0))


ARCHIVES = _gauge("palio_archives", "Files of the archive by whether the records have the tournament, too.", "place")
ARCHIVE_WAITING = _gauge("palio_archive_waiting", "Tournaments that wait for their file, 500 at most.")
ARCHIVED = Counter("palio_archive_files_written_total", "Files written into the archive.")
ARCHIVE_BYTES = Counter("palio_archive_written_bytes_total", "Bytes of these.")
ARCHIVE_LEFT = Counter("palio_archive_left_total", "Tournaments that left the records.")
ARCHIVE_DELETED = Counter("palio_archive_files_deleted_total", "Files that were too old.")
ARCHIVE_FAILURES = Counter(
    "palio_archive_failures_total", "Times that a tournament's file could not be written, or not taken away."
)
PRIZES = _gauge("palio_prizes", "Entries of the ledger of prizes by their state.", "state")
PRIZES_WAITING = _gauge("palio_prizes_waiting_tournaments", "Tournaments whose ledger does not follow their table yet.")
PRIZES_FAILURES = Counter(
    "palio_prizes_settle_failures_total", "Times that a tournament's prizes could not be settled."
)
PAYOUTS = Counter("palio_payouts_total", "Payouts sent, by what came of it.", ["outcome"])


class _Grow:
    """Raises a counter to a total kept elsewhere."""

    def __init__(self) -> None:
        self._seen: Tally[str] = Tally()

    def to(self, counter: Counter, key: str, total: int) -> None:
        counter.inc(max(0, total - self._seen[key]))
        self._seen[key] = total


class OwnerMetrics:
    """Copies an owner's numbers into the process's metrics."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._grow = _Grow()

    def update(self, owner: Owner, now_ms: int, refused_for_memory: int = 0) -> None:
        """To be called every second or so; `refused_for_memory`: writes that a full Redis did not take so far."""
        for (outcome, reason), total in owner.outcomes.items():
            self._grow.to(RECORDS.labels(outcome, reason), f"{outcome}/{reason}", total)
        self._grow.to(UPDATES, "updates", owner.publisher.published)
        self._grow.to(CHECKPOINTS, "saved", owner.checkpointer.saved)
        self._grow.to(CHECKPOINT_FAILURES, "failures", owner.checkpointer.failures)
        if owner.read_model is not None:
            READ_MODELS_WAITING.labels(self._name).set(owner.read_model.waiting)
            self._grow.to(READ_MODEL_CHANGES, "written", owner.read_model.written)
            self._grow.to(READ_MODEL_FAILURES, "read model failures", owner.read_model.failures)
            self._grow.to(READ_MODELS_REPAIRED, "repaired", owner.read_model.repaired)
            self._grow.to(READ_MODEL_REFUSALS, "refused", refused_for_memory)
        self._grow.to(ATTEMPTS_LOST, "attempts lost", owner.attempts_lost)
        ACTIVE.labels(self._name).set(len(owner.tournaments.active))
        ERRANDS.labels(self._name).set(owner.families.errands)
        UNSAVED.labels(self._name).set(owner.checkpointer.dirty)
        CHECKPOINT_AGE.labels(self._name).set(max(0, now_ms - owner.checkpointer.last_round_ms) / 1000)


class PrizeMetrics:
    """Copies the numbers of prizes into the process's metrics. All labels are there from the start: a rate has a first value then."""

    def __init__(self) -> None:
        self._grow = _Grow()
        for outcome in ("paid", "refused", "retried", "given_up"):
            PAYOUTS.labels(outcome)

    def update(self, counts: Mapping[State, int], settler: Settler, payer: Payer | None) -> None:
        """To be called now and then."""
        for state, count in counts.items():
            PRIZES.labels(state).set(count)
        PRIZES_WAITING.set(settler.waiting)
        self._grow.to(PRIZES_FAILURES, "settle failures", settler.failures)
        for outcome, total in () if payer is None else payer.outcomes.items():
            self._grow.to(PAYOUTS.labels(outcome), outcome, total)


class ArchiveMetrics:
    """Copies the archive's numbers into the process's metrics."""

    def __init__(self) -> None:
        self._grow = _Grow()

    def update(self, counts: Mapping[ArchivePlace, int], archiver: Archiver) -> None:
        """To be called now and then."""
        for place, count in counts.items():
            ARCHIVES.labels(place).set(count)
        ARCHIVE_WAITING.set(archiver.waiting)
        for counter, name in (
            (ARCHIVED, "archived"),
            (ARCHIVE_BYTES, "written_bytes"),
            (ARCHIVE_LEFT, "left"),
            (ARCHIVE_DELETED, "deleted"),
            (ARCHIVE_FAILURES, "failures"),
        ):
            self._grow.to(counter, name, getattr(archiver, name))


ANALYTICS_COLLECTED = Counter(
    "palio_analytics_collected_total", "Times that a tournament that had changed was brought into the series."
)
ANALYTICS_FAILURES = Counter(
    "palio_analytics_failures_total", "Times that a tournament could not be brought into the series."
)
ANALYTICS_WAITING = _gauge("palio_analytics_waiting_tournaments", "Tournaments that are not in the series as they are.")
ANALYTICS_POINTS = _gauge("palio_analytics_waiting_points", "Points of analytics that the series have not taken yet.")
ANALYTICS_LONGEST = _gauge(
    "palio_analytics_longest_seconds",
    "What tournaments that are read together took at most, in the last look; a large one is alone.",
)
ATTEMPTS_LOST = Counter(
    "palio_attempts_lost_total", "Attempts that count and that analytics do not learn of, since too many waited."
)


class AnalyticsMetrics:
    """Copies the collector's numbers into the process's metrics."""

    def __init__(self, collector: Collector, series: MetricsSeries) -> None:
        self._collector = collector
        self._series = series
        self._grow = _Grow()

    def update(self) -> None:
        """To be called every second or so."""
        self._grow.to(ANALYTICS_COLLECTED, "collected", self._collector.collected)
        self._grow.to(ANALYTICS_FAILURES, "failures", self._collector.failures)
        self._grow.to(DROPPED_POINTS, "dropped", self._series.dropped)
        ANALYTICS_WAITING.set(self._collector.waiting)
        ANALYTICS_POINTS.set(self._series.waiting)
        ANALYTICS_LONGEST.set(self._collector.longest_s)


class IngestMetrics:
    """Copies ingest's numbers into the process's metrics."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._grow = _Grow()

    def update(self, ingest: Ingest, ends: Mapping[int, int], now_ms: int) -> None:
        """To be called every second or so; `ends` are the log's last offsets, as last seen."""
        oldest = ingest.progress.oldest_unapplied_ms()
        for partition, lag in ingest.progress.lag_records(ends).items():
            LAG.labels(self._name, partition).set(lag)
            LAG_SECONDS.labels(self._name, partition).set(max(0, now_ms - oldest.get(partition, now_ms)) / 1000)
        BUFFERED.labels(self._name).set(ingest.windows.buffered())
        feeds = ingest.feeds.values()
        for turn in TURNS:
            oldest_ms = min((feed.oldest_ms.pop(turn, now_ms) for feed in feeds), default=now_ms)
            DELIVERY_WAIT.labels(self._name, turn).set(max(0, now_ms - oldest_ms) / 1000)
            for feed in feeds:
                self._grow.to(DELIVERED.labels(turn), f"{feed.owner}/{turn}", feed.delivered[turn])
        self._grow.to(DEAD_LETTERS, "letters", ingest.letters.total)
        self._grow.to(MOVED, "moved", ingest.moves.total)
        MOVES_WAITING.labels(self._name).set(len(ingest.moves))


class NotifierMetrics:
    """Tells how far notices are."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._told: Tally[tuple[str, str, str]] = Tally()
        self._taken = 0
        for sender in notifier.senders:  # increase() sees only what there was before
            for outcome in ("sent", "later", "refused", "unavailable"):
                NOTICES.labels(sender.name, outcome, "")

    def update(self, now_ms: int) -> None:
        """To be called every second or so."""
        NOTICE_EVENTS.inc(self._notifier.taken - self._taken)
        self._taken = self._notifier.taken
        for sender in self._notifier.senders:
            for (outcome, reason), total in sender.outcomes.items():
                key = (sender.name, outcome, reason)
                NOTICES.labels(*key).inc(total - self._told[key])
                self._told[key] = total
            NOTICE_CHANNEL_FAILURES.labels(sender.name).set(sender.failures)
            NOTICE_JOBS.labels(sender.name).set(sender.open_jobs)
            age_ms = 0 if sender.oldest_job_ms is None else max(0, now_ms - sender.oldest_job_ms)
            NOTICE_AGE.labels(sender.name).set(age_ms / 1000)


def owner_points(owner: Owner, now_ms: int) -> list[Point]:
    """The owner's load as a point of the metric series, for dashboards over a longer time than Prometheus keeps."""
    active = list(owner.tournaments.active.values())
    fields = {
        "active": float(len(active)),
        "running": float(sum(entity.state.status == "running" for entity in active)),
        "participants": float(sum(entity.state.members.joined for entity in active)),
        "scored": float(sum(len(entity.state.ranking) for entity in active)),
        "applied_total": float(owner.outcomes["applied", ""]),
        "ignored_total": float(sum(total for (outcome, _), total in owner.outcomes.items() if outcome == "ignored")),
        "updates_total": float(owner.publisher.published),
    }
    return [Point("owner", {"owner": owner.name}, fields, now_ms)]
