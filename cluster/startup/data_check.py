"""Looks at the data once, before anything starts: made if missing, refused if too new or if log and records do not belong together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors.director.log_check import LogMismatchError, check_identity, check_log, identity_scope
from actors.domain.delivery import scope_name
from cluster.config.settings import Settings
from cluster.errors import StartError
from cluster.startup.ports import open_series, opened
from storage.ports import Checkpoint, Records, RecordsUnavailableError, ScoreLog, StorageError, StorageVersionError
from storage.records.sql.dialects import check_sqlite

logger = logging.getLogger(__name__)

LEAST_FREE_BYTES: Final = 1 << 20  # with less a start would get stuck half way
NOTED_AT: Final = 0  # the partition whose records tell which log is followed


def check_room(data_dir: Path) -> None:
    """Raises StartError on a full disk: before anything is written, since what fails then fails late and in many ways."""
    there = next(path for path in (data_dir.absolute(), *data_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE_BYTES:
        raise StartError(f"disk full: {free} bytes are left for the data directory {data_dir}")


def check_data(settings: Settings, tell: Callable[[str], None] | None = None) -> str:
    """Open log and records once; returns the log's identity. `tell` hears how far a migration is.

    Raises StartError; nothing but missing tables and topics is made before all is well.
    """
    where = settings.data_dir
    try:
        return asyncio.run(_check(settings, tell))
    except StorageVersionError as error:
        raise StartError(f"the data was made by a newer Palio ({where}, or the database): {error}") from error
    except (StorageError, LogMismatchError, OSError, ValueError) as error:
        check_room(where)  # on a full disk even reading fails, in many ways
        raise StartError(f"cannot use the data ({where}, or the servers): {error}") from error


async def check_made(settings: Settings) -> None:
    """For who only looks at the data: raises StorageError unless it is there and of this version; nothing is made or migrated."""
    kafka = settings.kafka(settings.partitions, settings.log_max_queued, settings.log_window_ms)
    mysql = settings.mysql()
    if kafka is not None:
        from storage.score_log.kafka.topics import check_made as check_topics

        await check_topics(kafka)
    elif not (settings.data_dir / "log.db").exists():
        raise StorageError(f"{settings.data_dir}: expected Palio's data, found none")
    if mysql is None:
        check_sqlite(settings.data_dir / "records.db")
        return
    from storage.records.mysql.engine import check_schema

    for shard in mysql.shards:
        with contextlib.suppress(RecordsUnavailableError):  # one that is away has replicas, and the others
            await check_schema(mysql, shard.primary)


async def _check(settings: Settings, tell: Callable[[str], None] | None) -> str:
    # what keeps us from starting is told once, by our own error
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    open_series(settings)  # connects to nothing: what is wrong with its settings is told here
    redis = settings.redis()
    if redis is not None:
        from storage.redis_client.check import check_redis

        await check_redis(redis)
    async with opened(settings, tell) as (log, records):
        await _belong_together(log, records)
        await log.check_writable()
        return log.identity


async def _belong_together(log: ScoreLog, records: Records) -> None:
    """Raises LogMismatchError; notes in the records which log they follow from now on. A partition whose records are away is not looked at."""
    bounds = await log.bounds()
    identity = identity_scope(log.identity)
    noted: int | None = None
    projected: dict[str, tuple[int, int]] = {}
    for partition in bounds:
        try:
            # a dedicated tournament that is not over is read on from an offset of its own; the shared one may be far behind it, or not there yet
            dedicated = await records.active(partition, dedicated=True)
            scopes = [scope_name(partition, tournament) for tournament in (0, *dedicated)]
            found = await records.projected(partition, [*scopes, identity])
        except RecordsUnavailableError as error:
            logger.warning("partition %d waits for its records: %s", partition, error)
            continue
        projected.update((scope, (partition, found[scope])) for scope in scopes)
        if partition == NOTED_AT:
            noted = found[identity]
    check_log(bounds, projected)
    if noted is not None:
        check_identity(noted, projected)
        if noted < 0:
            await records.save(Checkpoint([], [], [], [], [(identity, NOTED_AT, 0)]))
