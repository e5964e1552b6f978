"""`RayOperations`: the Operations port, within a replica: the running actors, and the servers of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from cluster.actors.running_actors import RunningActors
from cluster.checkup import servers, surroundings
from cluster.config.settings import Settings
from cluster.startup.ports import plan_of
from storage.ports import Finding, IngestReport, OwnerReport, ShardPlace, Shards, ShardServer, StorageError

ANSWER_S: Final = 8.0  # below the timeouts of those who ask over HTTP


class RayOperations:
    """See `Operations`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._actors = RunningActors(plan_of(settings), settings.owner_call_timeout_s)

    async def owners(self) -> list[OwnerReport]:
        """See `Operations.owners`."""
        return await self._actors.owners()

    async def ingests(self, ends: Mapping[int, int]) -> list[IngestReport]:
        """See `Operations.ingests`."""
        return await self._actors.ingests(ends)

    async def findings(self) -> list[Finding]:
        """See `Operations.findings`."""
        return [*surroundings(self._settings), *await servers(self._settings, ANSWER_S)]

    async def shards(self) -> Shards | None:
        """See `Operations.shards`."""
        mysql = self._settings.mysql()
        if mysql is None:
            return None
        from storage.records.mysql.sharded import check_servers  # not where the records are embedded

        try:
            async with asyncio.timeout(ANSWER_S):
                places, health = await check_servers(mysql)
        except (StorageError, OSError, ValueError):  # TimeoutError is an OSError
            return Shards([], [])  # the findings say why
        return Shards(
            [ShardServer(s.shard, s.role, s.address, s.answer_ms, s.behind, s.error) for s in health],
            [ShardPlace(partition, place.shard, place.moving_to) for partition, place in sorted(places.items())],
        )
