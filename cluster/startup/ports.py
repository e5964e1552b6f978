"""Opens the ports' implementations from settings, in whatever process needs them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from actors.director.director import Plan
from actors.domain.notices.events import Channel
from actors.domain.signing import Signer
from cluster.config.secrets import (
    JWT_SECRET,
    NOTIFICATION_SECRET,
    RECORD_SECRET,
    WEBHOOK_SECRET,
    load_or_create_secret,
)
from cluster.config.settings import Settings
from storage.archive.records import RecordsWithArchive
from storage.metrics.parquet import ParquetMetrics
from storage.payouts.ledger_file import LedgerFile
from storage.ports import (
    ArchiveFiles,
    ArchiveIndex,
    AttemptBlocks,
    MetricsSeries,
    NoticeChannel,
    Notices,
    Payouts,
    PrizeLedger,
    ReadModel,
    Records,
    ScoreLog,
    Updates,
)
from storage.read_model.fallback import FallbackReadModel
from storage.read_model.snapshots import SnapshotReadModel
from storage.records.seal import SettingsSeal
from storage.records.sql.archive_index import SqlArchiveIndex
from storage.records.sql.attempts import SqlAttempts
from storage.records.sql.database import SqlRecords
from storage.records.sql.notices import SqlNotices
from storage.records.sql.prize_ledger import SqlPrizeLedger
from storage.score_log.sqlite.log import SqliteScoreLog

if TYPE_CHECKING:
    from storage.read_model.redis import RedisReadModel

NAMESPACE: Final = "palio"
DIRECTOR: Final = "director"
UPDATES: Final = "updates"
NOTIFIER: Final = "notifier"
CALLS_AT_ONCE: Final = 32  # of users' webhooks, and of push services
PRIZES: Final = "prizes"
ARCHIVER: Final = "archiver"
ANALYTICS: Final = "analytics"
PAYOUTS_FILE: Final = "payouts.jsonl"
SIGNING_KEY_ID: Final = "k1"


def clock_ms() -> int:
    """The wall clock: ms since 1970, UTC."""
    return time.time_ns() // 1_000_000


def metrics_dir(settings: Settings) -> Path:
    """Where this Palio's processes share their metrics: in memory where there is such a place, never beside the data.

    The files are mapped into memory, and a process that touches a new page of such a file on a full disk is killed (SIGBUS).
    """
    memory = Path("/dev/shm")  # noqa: S108 - the name is taken with mkdir, which follows no link that another user left
    parent = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    name = hashlib.blake2b(os.fsencode(settings.data_dir.absolute()), digest_size=8).hexdigest()
    return parent / f"palio-metrics-{os.getuid()}-{name}"


def plan_of(settings: Settings) -> Plan:
    """The placement plan."""
    return Plan(
        partitions=settings.partitions,
        shards=min(settings.shards, settings.partitions),
        ingests=min(settings.ingest_actors, settings.partitions),
        max_dedicated=settings.max_dedicated,
        dedicated_capacity=settings.dedicated_capacity,
    )


def open_log(settings: Settings) -> ScoreLog:
    """The score log: Kafka if it is configured, else SQLite. Raises StorageVersionError, LogError; Kafka connects when first used."""
    kafka = settings.kafka(settings.partitions, settings.log_max_queued, settings.log_window_ms)
    if kafka is not None:
        from storage.score_log.kafka.log import KafkaScoreLog

        return KafkaScoreLog(kafka)
    return SqliteScoreLog(
        settings.data_dir / "log.db",
        partitions=settings.partitions,
        max_queued=settings.log_max_queued,
        window_ms=settings.log_window_ms,
        clock_ms=clock_ms,
    )


async def open_records(settings: Settings, tell: Callable[[str], None] | None = None) -> Records:
    """The durable store: MySQL if it is configured, else SQLite. `tell` hears how far a migration is.

    Raises StorageError (StorageVersionError, RecordsUnavailableError); of MySQL primaries may be away, see `ShardedRecords.open`.
    """
    mysql = settings.mysql()
    if mysql is not None:
        from storage.records.mysql.sharded import ShardedRecords

        return await ShardedRecords.open(mysql, settings.partitions, tell)
    return await SqlRecords.open(settings.data_dir / "records.db")


def notices_progress_of(records: Records) -> Notices:
    """As `notices_of`, for whoever looks at the progress alone: no settings of users are opened, so no secret is needed, or made."""
    return SqlNotices(records, SettingsSeal([b"nothing is sealed with this"]))  # type: ignore[arg-type]  # as below


def notices_of(settings: Settings, records: Records) -> Notices:
    """What the durable store keeps for notices; belongs to the records, which `open_records` opened."""
    old = settings.notification_old_secrets
    secrets = [notification_secret(settings)]
    secrets += [] if old is None else [each.strip().encode() for each in old.get_secret_value().split(",")]
    return SqlNotices(records, SettingsSeal(secrets))  # type: ignore[arg-type]  # both implementations are databases, too


def prizes_of(records: Records) -> PrizeLedger:
    """The ledger of prizes in the durable store; belongs to the records."""
    return SqlPrizeLedger(records)  # type: ignore[arg-type]  # both implementations are databases, too


def archives_of(records: Records) -> ArchiveIndex:
    """What the durable store knows of the archive; belongs to the records."""
    return SqlArchiveIndex(records)  # type: ignore[arg-type]  # as above


def open_archive(settings: Settings) -> ArchiveFiles | None:
    """Where the archive's files are: as configured, else a folder where Palio is embedded, else nowhere."""
    from storage.archive.files import PyarrowFiles

    url = settings.archive_place()
    return None if url is None else PyarrowFiles(url, timeout_s=settings.archive_timeout_s)


def with_archive(records: Records, files: ArchiveFiles | None) -> Records:
    """The records with the archive behind them, for who loads tournaments that may have left them."""
    return records if files is None else RecordsWithArchive(records, archives_of(records), files)


def attempts_of(records: Records) -> AttemptBlocks:
    """Attempts in the durable store; belongs to the records."""
    return SqlAttempts(records)  # type: ignore[arg-type]  # both implementations are databases, too


def open_payouts(settings: Settings) -> Payouts | None:
    """Whoever pays prizes out: the configured receiver, else a file where Palio is embedded, else nobody."""
    webhook = settings.payout_webhook()
    if webhook is not None:
        from storage.payouts.webhook import WebhookPayouts

        return WebhookPayouts(webhook, clock_ms)
    return LedgerFile(settings.data_dir / PAYOUTS_FILE, clock_ms) if settings.mysql_shards is None else None


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, tell: Callable[[str], None] | None = None
) -> AsyncIterator[tuple[ScoreLog, Records]]:
    """Log and records for as long as the body. Raises as `open_log` and `open_records` do."""
    log = open_log(settings)
    try:
        records = await open_records(settings, tell)
        try:
            yield log, records
        finally:
            await records.close()
    finally:
        await log.close()


def open_read_model(settings: Settings, records: Records) -> ReadModel:
    """Where reads go while an owner is away: Redis if it is configured, and the newest snapshots."""
    snapshots = SnapshotReadModel(records, clock_ms, settings.snapshot_cache_entries)
    redis = open_redis_read_model(settings)
    return snapshots if redis is None else FallbackReadModel(redis, snapshots)


def open_redis_read_model(settings: Settings) -> RedisReadModel | None:
    """The read model in Redis, which owners write; None when embedded."""
    redis = settings.redis()
    if redis is None:
        return None
    from storage.read_model.redis import RedisReadModel, RedisReadModelConfig

    return RedisReadModel(redis, RedisReadModelConfig(expire_after_end_s=settings.redis_expire_after_end_s))


def open_series(settings: Settings, *, keeps: bool = False) -> MetricsSeries:
    """The metric series: InfluxDB if it is configured, else Parquet files (`keeps`: as `open_parquet`). Raises ValueError for settings that
    cannot work."""
    influx = settings.influx()
    if influx is not None:
        from storage.metrics.influx import InfluxMetrics

        return InfluxMetrics(influx)
    return open_parquet(settings, keeps=keeps)


def open_parquet(settings: Settings, *, keeps: bool = False) -> ParquetMetrics:
    """The embedded series; `keeps`: for the one process that puts their files together."""
    return ParquetMetrics(settings.data_dir / "series", keeps=keeps)


def signer_of(settings: Settings) -> Signer:
    """Signs and verifies control records."""
    return Signer({SIGNING_KEY_ID: record_secret(settings)}, SIGNING_KEY_ID)


def record_secret(settings: Settings) -> bytes:
    """The secret of control records: the configured one, else the data directory's."""
    return _secret(settings, settings.record_secret, RECORD_SECRET)


def jwt_secret(settings: Settings) -> bytes:
    """The HS256 secret: the configured one, else the data directory's."""
    return _secret(settings, settings.jwt_secret, JWT_SECRET)


def notification_secret(settings: Settings) -> bytes:
    """The secret that encrypts users' notification settings: the configured one, else the data directory's."""
    return _secret(settings, settings.notification_secret, NOTIFICATION_SECRET)


def webhook_secret(settings: Settings) -> bytes:
    """The secret from which users' webhook secrets follow: the configured one, else the data directory's."""
    return _secret(settings, settings.notification_webhook_secret, WEBHOOK_SECRET)


def open_channels(settings: Settings, updates: Updates) -> dict[Channel, NoticeChannel]:
    """The channels of notices that are configured; `updates` carry the live ones. Raises ValueError for a push key that is none."""
    from storage.channels.email import EmailChannel, SmtpConfig
    from storage.channels.http import Caller
    from storage.channels.live import LiveChannel
    from storage.channels.push import PushChannel
    from storage.channels.webhook import WebhookChannel

    def caller() -> Caller:
        return Caller(
            private=settings.notification_private_addresses,
            timeout_s=settings.notification_timeout_s,
            connections=CALLS_AT_ONCE,
        )

    channels: dict[Channel, NoticeChannel] = {"live": LiveChannel(updates)}
    if settings.smtp_host is not None and settings.smtp_sender is not None:
        password = settings.smtp_password
        config = SmtpConfig(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=settings.smtp_sender,
            tls=settings.smtp_tls,
            user=settings.smtp_user,
            password=None if password is None else password.get_secret_value(),
            ca_file=settings.smtp_ca_file,
            timeout_s=settings.notification_timeout_s,
        )
        channels["email"] = EmailChannel(config)
    if settings.push_private_key is not None and settings.push_contact is not None:
        key = settings.push_private_key.get_secret_value()
        channels["push"] = PushChannel(caller(), key, settings.push_contact, clock_ms)
    if settings.notification_webhooks:
        channels["webhook"] = WebhookChannel(caller(), webhook_secret(settings), clock_ms)
    return channels


def push_public_key(settings: Settings) -> str:
    """The key that browsers subscribe with; empty where there is no push. Raises ValueError for a private key that is none."""
    if settings.push_private_key is None:
        return ""
    from storage.channels.push import public_key_of

    return public_key_of(settings.push_private_key.get_secret_value())


def _secret(settings: Settings, configured: SecretStr | None, file: str) -> bytes:
    if configured is not None:
        return configured.get_secret_value().encode("utf-8", "surrogateescape")
    return load_or_create_secret(settings.data_dir, file)


def set_up_logging(settings: Settings) -> None:
    """Log lines of this process to stderr, where Ray collects them."""
    logging.basicConfig(
        level=settings.log_level,
        format=f"%(asctime)s %(levelname)s %(name)s [{os.getpid()}] %(message)s",
        force=True,
    )
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line for each request, of which the series make many
