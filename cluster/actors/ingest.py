"""`IngestActor`: a Ray actor around `actors.ingest.ingest.Ingest`, delivering to tournament actors by name."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from typing import Final

from actors.ingest.ingest import Ingest, IngestConfig
from actors.ingest.parse import Parser
from cluster.actors.handles import Handles
from cluster.actors.metrics import IngestMetrics
from cluster.actors.process import Background, settle
from cluster.actors.reports import ingest_report
from cluster.config.settings import Settings
from cluster.startup.ports import DIRECTOR, clock_ms, open_log, set_up_logging, signer_of
from storage.ports import IngestReport, LogError

logger = logging.getLogger(__name__)

ENDS_EVERY: Final = 5  # s between looks at how long the log is


class NamedDirector:
    """The director actor, as `actors.ingest.placement.Director`."""

    def __init__(self, handles: Handles) -> None:
        self._handles = handles

    async def placements(self, partition: int) -> dict[int, str]:
        """See `actors.ingest.placement.Director`."""
        placements: dict[int, str] = await self._handles.call(DIRECTOR, "placements", partition)
        return placements

    async def host(self, partition: int, tournament: int, after: int) -> str:
        """See `actors.ingest.placement.Director`."""
        owner: str = await self._handles.call(DIRECTOR, "host", partition, tournament, after)
        return owner

    async def closed(self, partition: int, tournament: int) -> None:
        """See `actors.ingest.placement.Director`."""
        await self._handles.call(DIRECTOR, "closed", partition, tournament)


class IngestActor:
    """Reads `partitions` (partition -> owner's name); the director tells the dedicated tournaments' owners."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        partitions: Mapping[int, str],
    ) -> None:
        set_up_logging(settings)
        self._name = name
        self._handles = Handles()
        self._log = open_log(settings)
        self._background = Background()
        self._ingest = Ingest(
            log=self._log,
            parser=Parser(signer_of(settings), settings.partitions),
            partitions=partitions,
            deliver=self._deliver,
            director=NamedDirector(self._handles),
            config=IngestConfig(
                batch=settings.ingest_batch,
                urgent_batch=settings.ingest_urgent_batch,
                buffer=settings.ingest_buffer,
                moves_per_s=settings.ingest_moves_per_s,
                delivery_timeout_ms=round(settings.delivery_timeout_s * 1000),
                keep_ms=round(settings.log_keep_s * 1000),
            ),
        )
        self._metrics = IngestMetrics(name)
        settle()
        self._background.start("ingest", self._ingest.run())
        self._background.start("metrics", self._metrics_loop())

    async def ready(self) -> bool:
        """True once it runs."""
        return True

    async def report(self, ends: Mapping[int, int]) -> IngestReport:
        """How far its partitions are; `ends` are the log's last offsets."""
        return ingest_report(self._name, self._ingest, ends)

    async def stop(self) -> None:
        """Stop reading; what is not delivered stays in the log."""
        await self._background.stop()
        await self._ingest.close()
        await self._log.close()

    async def _deliver(self, owner: str, data: bytes) -> bytes:
        answer: bytes = await self._handles.call(owner, "deliver", data)
        return answer

    async def _metrics_loop(self) -> None:
        ends: dict[int, int] = {}
        for second in itertools.count():
            await asyncio.sleep(1)
            if second % ENDS_EVERY == 0:
                try:
                    ends = {partition: held.last for partition, held in (await self._log.bounds()).items()}
                except LogError as error:
                    logger.warning("the log does not tell its ends: %s", error)
            self._metrics.update(self._ingest, ends, clock_ms())
