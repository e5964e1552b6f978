"""`ArchiverActor`: a Ray actor around `actors.archiver`. A restarted one goes on where the records say."""

from __future__ import annotations

import logging
from typing import Final

from actors.archiver.archiver import Archiver
from cluster.actors.metrics import ArchiveMetrics
from cluster.actors.worker import Worker
from cluster.startup.ports import archives_of, clock_ms, open_archive
from storage.ports import Records

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0
LEAVE_S: Final = 5.0
PRUNE_S: Final = 30.0
MEASURE_EVERY_S: Final = 10.0


class ArchiverActor(Worker):
    """See the module. Where there is no archive it does nothing."""

    name = "archive"

    async def begin(self, records: Records) -> None:
        """As Worker.begin."""
        self._files = open_archive(self.settings)
        if self._files is None:
            logger.warning("nothing is archived: PALIO_ARCHIVE_URL is not set")
            return
        self._index = archives_of(records)
        self._archiver = Archiver(records, self._index, self._files, clock_ms, self.settings.archive_rules())
        self._metrics = ArchiveMetrics()
        self.repeat("write", LOOK_S, self._archiver.round)
        self.repeat("leave", LEAVE_S, self._archiver.leave)
        self.repeat("delete", PRUNE_S, self._archiver.prune)
        self.repeat("metrics", MEASURE_EVERY_S, self._update_metrics)

    async def end(self) -> None:
        """As Worker.end. A file that was under way is written again by the next one."""
        if self._files is not None:
            await self._files.close()

    async def _update_metrics(self) -> None:
        self._metrics.update(await self._index.counts(), self._archiver)
