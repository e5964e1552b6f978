"""The director: which actor owns what. A plain class that starts and stops actors through `Launcher`.

Shared scopes are fixed: partition p belongs to `shard-<p mod shards>`. A dedicated tournament gets an actor alone while there are fewer than
`max_dedicated`; else its scope is hosted by its partition's shard. What it knows can be rebuilt: from the store's active dedicated
tournaments and from ingest, which asks again for what nobody holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from actors.domain.delivery import scope_name
from storage.ports import Records, RecordsUnavailableError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many of what: `partitions` of the log over `shards` and `ingests`, at most `max_dedicated` actors for one tournament each."""

    partitions: int
    shards: int
    ingests: int
    max_dedicated: int
    dedicated_capacity: int

    def shard_of(self, partition: int) -> str:
        """The shard that owns a partition's shared tournaments."""
        return f"shard-{partition % self.shards}"

    def partitions_of_shard(self, shard: int) -> list[int]:
        """The partitions of one shard."""
        return list(range(shard, self.partitions, self.shards))

    def partitions_of_ingest(self, ingest: int) -> list[int]:
        """The partitions that one ingest actor reads."""
        return list(range(ingest, self.partitions, self.ingests))

    def wants_dedicated(self, placement: str, capacity: int | None) -> bool:
        """Whether a tournament's scope is its own. A pure function of the create, so that a repeat is placed alike."""
        return placement == "dedicated" or (
            placement == "auto" and capacity is not None and capacity >= self.dedicated_capacity
        )


class Launcher(Protocol):
    """Starts and stops actors. Every call may be repeated; a name is taken by one live actor at a time."""

    async def start_owner(self, name: str, scopes: list[tuple[int, int, int]]) -> None:
        """Start an owner that adopts scopes, (partition, tournament or 0, offset as for `adopt`), unless it is there."""

    async def start_ingest(self, name: str, partitions: dict[int, str]) -> None:
        """Start an ingest actor, unless it is there."""

    async def adopt(self, owner: str, partition: int, tournament: int, after: int) -> None:
        """Have a running owner take a scope."""

    async def release(self, owner: str, partition: int, tournament: int) -> None:
        """Have a running owner give a scope up, after a checkpoint."""

    async def stop(self, name: str) -> None:
        """End an actor for good; one that is gone is fine."""

    async def dedicated(self) -> list[int]:
        """The tournaments that have a living actor of their own."""


class Hosted(NamedTuple):
    """Where a dedicated tournament lives; `after`: the offset before its create, as far as it was told; the log may start there."""

    owner: str
    partition: int
    after: int


class Director:
    """See the module."""

    def __init__(self, plan: Plan, launcher: Launcher, records: Records) -> None:
        self.plan = plan
        self._launcher = launcher
        self._records = records
        self._hosting = asyncio.Lock()  # one placement at a time, so that the maximum holds
        self._alone: set[int] = set()  # dedicated tournaments with an actor of their own
        self.hosted: dict[int, Hosted] = {}  # by tournament; all others follow the plan
        self._known: set[int] = (
            set()
        )  # partitions of which every dedicated tournament that is stored and not over is hosted

    async def start(self) -> None:
        """Bring everything up: shards, the dedicated tournaments that are not over, then ingest."""
        plan = self.plan
        # what an earlier director started goes on where it is; what ended meanwhile has no need of its actor any more
        living = await self._launcher.dedicated()
        self._alone.update(living)
        await asyncio.gather(*(self._start_shard(shard) for shard in range(plan.shards)))
        for tournament in living:
            with contextlib.suppress(
                RecordsUnavailableError
            ):  # then its actor stays until ingest tells that it is over
                row = await self._records.tournament(tournament)
                if row is not None and row.status in ("finished", "cancelled"):
                    await self.closed(row.partition, tournament)
        for partition in range(plan.partitions):
            try:
                await self.placements(partition)
            except RecordsUnavailableError as error:  # ingest asks for them again before it reads the partition
                logger.warning("partition %d waits for its records: %s", partition, error)
        for index in range(plan.ingests):
            mine = {partition: plan.shard_of(partition) for partition in plan.partitions_of_ingest(index)}
            await self._launcher.start_ingest(f"ingest-{index}", mine)

    async def _start_shard(self, shard: int) -> None:
        scopes = [(partition, 0, -1) for partition in self.plan.partitions_of_shard(shard)]
        await self._launcher.start_owner(f"shard-{shard}", scopes)

    async def placements(self, partition: int) -> dict[int, str]:
        """The owner of every dedicated tournament in a partition that is stored and not over.

        Where the records do not answer, those that are hosted: who has hosted all that was stored knows of every other since.
        """
        found = {tournament: await self.host(partition, tournament, -1) for tournament in await self._active(partition)}
        self._known.add(partition)
        return found

    async def _active(self, partition: int) -> list[int]:
        try:
            return await self._records.active(partition, dedicated=True)
        except RecordsUnavailableError as error:
            if partition not in self._known:
                raise
            logger.warning("dedicated tournaments of partition %d as they are hosted: %s", partition, error)
            return [tournament for tournament, hosted in self.hosted.items() if hosted.partition == partition]

    async def host(self, partition: int, tournament: int, after: int) -> str:
        """The owner of a scope, started or told to adopt it; asking again gives the same answer."""
        shard = self.plan.shard_of(partition)
        if not tournament:
            await self._start_shard(partition % self.plan.shards)
            await self._launcher.adopt(shard, partition, 0, after)
            return shard
        async with self._hosting:
            known = self.hosted.get(tournament)
            offsets = (after, -1 if known is None else known.after)
            after = min((each for each in offsets if each >= 0), default=-1)  # the lower is the first create's
            row = await self._records.tournament(tournament)
            over = row is not None and row.status in ("finished", "cancelled")
            if known is None and tournament not in self._alone:
                # who is to own it reads this first: if it cannot, that is told now, and not after a wait that holds up all others
                await self._records.projected(partition, [scope_name(partition, tournament)])
            alone = tournament in self._alone or not (
                known is not None or over or len(self._alone) >= self.plan.max_dedicated
            )
            name = f"tournament-{tournament}" if alone else shard
            if alone:
                await self._launcher.start_owner(name, [(partition, tournament, after)])
                self._alone.add(tournament)
            await self._launcher.adopt(name, partition, tournament, after)
            if known is None or known.owner != name:
                self.hosted[tournament] = Hosted(name, partition, after)
                logger.info("tournament %d is hosted by %s", tournament, name)
            return name

    async def closed(self, partition: int, tournament: int) -> None:
        """A dedicated tournament is over and durable: its actor ends, its partition's shard answers for it."""
        async with self._hosting:
            self.hosted.pop(tournament, None)
            if tournament in self._alone:
                self._alone.discard(tournament)
                await self._launcher.stop(f"tournament-{tournament}")
            # the shard may hold it, now or from before a restart of this director, and must answer from the snapshot
            await self._launcher.release(self.plan.shard_of(partition), partition, tournament)
