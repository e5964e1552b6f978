"""One owner and one ingest in this process, over the embedded stores of a data directory: what `scripts/palio inspect` looks at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeVar

from actors.domain.messages import Create, Join, Message, ScoreWire, Spec, encode_message
from actors.domain.values import partition_of
from actors.ingest.ingest import Ingest, IngestConfig
from actors.ingest.parse import Parser
from actors.owner.owner import Owner, OwnerConfig
from actors.owner.reads import OwnerReads
from cluster.actors.reports import ingest_report, owner_report
from cluster.config.settings import Settings
from cluster.startup.ports import clock_ms, open_log, open_records, signer_of
from storage.ports import IngestReport, NewRecord, OwnerReport, Query, Records, ScoreLog

A = TypeVar("A")
SALT = "5a" * 16
FAR_MS = 4_000_000_000_000


class Unheard:
    """An Updates port that nobody listens to."""

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Take them."""


class OneHost:
    """A director to whom one owner hosts every dedicated tournament."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def placements(self, _partition: int) -> dict[int, str]:
        """None yet."""
        return {}

    async def host(self, partition: int, tournament: int, after: int) -> str:
        """The owner, which takes it."""
        await self._owner.adopt([(partition, tournament, after)])
        return self._owner.name


class SmallPalio:
    """See the module; implements `cluster.inspection.Actors`. Made by `small_palio`."""

    def __init__(self, settings: Settings, log: ScoreLog, records: Records) -> None:
        self.settings = settings
        self.log = log
        self.records = records
        self.signer = signer_of(settings)
        self.silent: dict[str, str] = {}  # actors that do not answer, and why
        self.owner = Owner(
            name="shard-0",
            instance="shard-0#1",
            log=log,
            records=records,
            updates=Unheard(),  # type: ignore[arg-type]
            signer=self.signer,
            clock_ms=clock_ms,
            config=OwnerConfig(),
        )
        self.ingest = Ingest(
            log=log,
            parser=Parser(self.signer, settings.partitions),
            partitions=dict.fromkeys(range(settings.partitions), "shard-0"),
            deliver=self._deliver,
            director=OneHost(self.owner),  # type: ignore[arg-type]
            config=IngestConfig(retry_ms=1, retry_max_ms=2, commit_interval_ms=5, poll_wait_ms=5, keep_ms=10**9),
        )

    async def create(
        self, tournament: int, name: str = "Spring exam", *, users: Sequence[int] = (), dedicated: bool = False
    ) -> None:
        """A running tournament in which these users take part, in the log."""
        spec = Spec(name=name, type="scheduled", starts_ms=1, ends_ms=FAR_MS)
        create = Create(
            command_id="c", creator="1", created_ms=1, spec=spec, dedicated=dedicated, salt=SALT, request_digest="d"
        )
        await self.append(tournament, create)
        for user in users:
            await self.append(tournament, Join(command_id=f"j{user}", user_id=str(user)))

    async def append(self, tournament: int, message: Message | ScoreWire) -> None:
        """A record of Palio's own, or a score."""
        key, value = str(tournament).encode(), encode_message(message)
        signature = "" if isinstance(message, ScoreWire) else self.signer.sign(key, value)
        await self.log.append([NewRecord(partition_of(tournament, self.settings.partitions), key, value, signature)])

    async def applied(self) -> None:
        """Once the owner has applied, and saved, all that is in the log, ingest has committed it, and what was refused is stored."""
        ends = {partition: bound.last for partition, bound in (await self.log.bounds()).items()}
        while self.ingest.placement.unplaced or any(
            scope.watermark < ends[scope.partition] for scope in self.owner.scopes()
        ):
            await asyncio.sleep(0.005)
        await self.ingest.letters.flush()
        await self.owner.checkpointer.full_round(self.owner.scopes())
        while True:
            committed = await self.log.committed()
            if all(committed.get(partition, -1) >= end for partition, end in ends.items()):
                break
            await asyncio.sleep(0.005)

    async def owners(self) -> list[OwnerReport]:
        """See `cluster.inspection.Actors`."""
        away = [OwnerReport(name=name, state=why) for name, why in self.silent.items() if name != "ingest-0"]
        return [owner_report(self.owner, clock_ms()), *away]

    async def ingests(self, ends: Mapping[int, int]) -> list[IngestReport]:
        """See `cluster.inspection.Actors`."""
        if "ingest-0" in self.silent:
            return [IngestReport(name="ingest-0", state=self.silent["ingest-0"])]
        return [ingest_report("ingest-0", self.ingest, ends)]

    async def read(self, tournament_id: int, query: Query[A]) -> A:
        """See `cluster.inspection.Actors`."""
        reads = OwnerReads(self.owner, self.owner.publisher)
        return await reads.read(partition_of(tournament_id, self.settings.partitions), tournament_id, query)

    async def _deliver(self, _owner: str, data: bytes) -> bytes:
        return await self.owner.deliver(data)


@contextlib.asynccontextmanager
async def small_palio(settings: Settings, log: ScoreLog | None = None) -> AsyncIterator[SmallPalio]:
    """One that runs, over a log of its own or this one; afterwards its data is what a stopped one leaves."""
    log, records = log or open_log(settings), await open_records(settings)
    palio = SmallPalio(settings, log, records)
    await palio.owner.adopt([(partition, 0, -1) for partition in range(settings.partitions)])
    ingesting = asyncio.create_task(palio.ingest.run())
    publishing = asyncio.create_task(_publish(palio.owner))
    try:
        await palio.applied()
        yield palio
    finally:
        for task in (ingesting, publishing):
            task.cancel()
        await asyncio.gather(ingesting, publishing, return_exceptions=True)
        await palio.ingest.close()
        await palio.owner.close()
        await records.close()
        await log.close()


async def _publish(owner: Owner) -> None:
    while True:
        await owner.publish_due()
        await asyncio.sleep(0.005)
