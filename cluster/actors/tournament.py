"""`TournamentActor`: a Ray actor around `actors.owner.owner.Owner`; a shard and a dedicated tournament are the same code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from actors.owner.owner import Owner, OwnerConfig
from actors.owner.read_model.writer import ReadModelWriter
from actors.owner.reads import OwnerReads
from cluster.actors.metrics import OwnerMetrics, owner_points
from cluster.actors.process import Background, regularly, settle
from cluster.actors.reports import owner_report, starting_report
from cluster.actors.updates import connect_updates
from cluster.actors.worker import records_once_there, start_or_end
from cluster.config.settings import Settings
from cluster.startup.ports import (
    clock_ms,
    open_archive,
    open_log,
    open_redis_read_model,
    open_series,
    set_up_logging,
    signer_of,
    with_archive,
)
from cluster.startup.scoring_functions import register_functions
from serve_app.metrics import PortMetrics
from storage.ports import (
    LogTruncatedError,
    LogUnavailableError,
    OwnerReport,
    Query,
    RecordsUnavailableError,
)

A = TypeVar("A")
logger = logging.getLogger(__name__)

# A publication is a call to the broker and one from it to each gateway, about 2 ms of CPU together whatever it carries: what comes
# within this time goes together.
PUBLISH_PAUSE_S: Final = 0.01
# An urgent save (a create, an end) starts within this, and an end shows, which is exact in the log's time whenever the tick comes.
LOOK_S: Final = 0.02


class TournamentActor:
    """Async on purpose: reads, deliveries and checkpoints interleave on one loop without locks; ingest keeps one delivery in flight, so their
    order needs no synchronous actor. Every method first waits until the scopes given at the start are adopted.
    """

    def __init__(self, settings: Settings, name: str, scopes: Sequence[tuple[int, int, int]]) -> None:
        set_up_logging(settings)
        register_functions()
        self._settings = settings
        self._name = name
        self._background = Background()
        self._started = start_or_end(name, self._start(list(scopes)))

    async def _start(self, scopes: list[tuple[int, int, int]]) -> None:
        settings = self._settings
        self._log = open_log(settings)
        self._records = await records_once_there(self._name, settings)
        self._archive = open_archive(settings)
        self._updates = updates = connect_updates(settings)
        self._read_model = read_model = open_redis_read_model(settings)
        self._owner = Owner(
            name=self._name,
            instance=uuid.uuid4().hex,
            log=self._log,
            records=with_archive(self._records, self._archive),
            updates=updates,
            signer=signer_of(settings),
            clock_ms=clock_ms,
            config=OwnerConfig(
                publish_interval_ms=settings.publish_interval_ms,
                checkpoint_interval_ms=settings.checkpoint_interval_ms,
                checkpoint_max_interval_ms=round(settings.checkpoint_max_interval_s * 1000),
                dedicated_capacity=settings.dedicated_capacity,
                attempts=settings.analytics,
            ),
            read_model=None if read_model is None else ReadModelWriter(read_model, clock_ms),
        )
        self._reads = OwnerReads(self._owner, self._owner.publisher)
        self._metrics = OwnerMetrics(self._name)
        self._series = open_series(settings)
        self._port_metrics = PortMetrics(self._log, updates, self._series)
        while True:
            try:
                await self._owner.adopt(scopes)
                break
            except (LogTruncatedError, RecordsUnavailableError) as error:
                # what the records kept from it, ingest has the director tell it to take, again and again
                logger.critical("%s goes on without some scopes: %s", self._name, error)
                break
            except LogUnavailableError as error:
                logger.warning("%s cannot take its scopes yet: %s", self._name, error)
                await asyncio.sleep(1)
        settle()
        self._background.start("publish", self._publish_loop())
        self._background.start("audience", regularly(LOOK_S, self._owner.look_due))
        self._background.start("checkpoint", regularly(LOOK_S, self._owner.checkpoint_due))
        if read_model is not None:
            self._background.start("read model", regularly(LOOK_S, self._owner.read_model_due))
        self._background.start("tick", regularly(LOOK_S, self._owner.tick_due))
        self._background.start("families", regularly(LOOK_S, self._owner.families_due))
        self._background.start("metrics", regularly(1, self._update_metrics))
        self._background.start("series", regularly(settings.metrics_interval_s, self._write_series))

    async def ready(self) -> bool:
        """True once the scopes are adopted."""
        await self._started
        return True

    async def adopt(self, partition: int, tournament: int, after: int) -> None:
        """Take one more scope."""
        await self._started
        await self._owner.adopt([(partition, tournament, after)])

    async def release(self, partition: int, tournament: int) -> None:
        """Give a scope up."""
        await self._started
        await self._owner.release(partition, tournament)

    async def deliver(self, data: bytes) -> bytes:
        """See Owner.deliver."""
        await self._started
        return await self._owner.deliver(data)

    async def read(self, partition: int, tournament: int, query: Query[A]) -> A:
        """See OwnerReads.read."""
        await self._started
        return await self._reads.read(partition, tournament, query)

    async def read_many(self, wanted: Sequence[tuple[int, int, Query[Any]]]) -> list[Any]:
        """See OwnerReads.read_many."""
        await self._started
        return self._reads.read_many(wanted)

    async def positions(self, wanted: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """See OwnerReads.positions."""
        await self._started
        return await self._reads.positions(wanted)

    async def report(self) -> OwnerReport:
        """What it holds and how far it is, also while it starts."""
        if self._started.done():
            return owner_report(self._owner, clock_ms())
        return starting_report(self._name)

    async def stop(self) -> None:
        """A last checkpoint; the process ends by the launcher."""
        await self._started
        await self._background.stop()
        await self._owner.close()
        await self._series.close()
        await self._updates.close()
        if self._read_model is not None:
            await self._read_model.close()
        if self._archive is not None:
            await self._archive.close()
        await self._records.close()
        await self._log.close()

    async def _publish_loop(self) -> None:
        wake = self._owner.publisher.wake
        while True:
            next_due_ms = await self._owner.publish_due()
            await asyncio.sleep(PUBLISH_PAUSE_S)
            wait_s = None if next_due_ms is None else max(0.0, next_due_ms / 1000 - PUBLISH_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await wake.wait()  # an entity that is due sooner, or a reply
            wake.clear()

    async def _update_metrics(self) -> None:
        refused = 0 if self._read_model is None else self._read_model.refused_for_memory
        self._metrics.update(self._owner, clock_ms(), refused)
        self._port_metrics.update()

    async def _write_series(self) -> None:
        self._series.write(owner_points(self._owner, clock_ms()))
        await self._series.flush()
