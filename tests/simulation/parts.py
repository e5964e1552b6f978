"""The code of each simulated process: the real director, owner and ingest with the loops that `cluster/` gives them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from actors.director.director import Director
from actors.domain.messages import ApprovePrizes, encode_message
from actors.domain.tournament import Tournament
from actors.ingest.ingest import Ingest, IngestConfig
from actors.ingest.parse import Parser
from actors.owner.checkpoint.snapshot_chain import DeltaBounds
from actors.owner.owner import Owner, OwnerConfig
from actors.owner.read_model.writer import ReadModelWriter, ReadModelWriterConfig
from actors.owner.reads import OwnerReads
from actors.prizes.payer import Payer, PayerConfig
from actors.prizes.settler import Settler
from storage.ports import LogUnavailableError, NewRecord, RecordsUnavailableError, StorageError
from tests.simulation.ports import (
    ProcessLedger,
    ProcessLog,
    ProcessPayouts,
    ProcessReadModel,
    ProcessRecords,
    ProcessUpdates,
)
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import Slot, World


class DirectorPart:
    """As `cluster.actors.director.DirectorActor`."""

    def __init__(self, process: Process) -> None:
        world = process.world
        self._started = asyncio.Event()
        records = ProcessRecords(process, world.records)
        self.director = Director(world.plan, SimulatedLauncher(world, process), records)

    async def start(self, process: Process) -> None:
        while not self._started.is_set():
            try:
                await self.director.start()
                self._started.set()
            except (RecordsUnavailableError, ConnectionError):
                await process.sleep(0.1)

    async def host(self, partition: int, tournament: int, after: int) -> str:
        return await self.director.host(partition, tournament, after)

    async def placements(self, partition: int) -> dict[int, str]:
        return await self.director.placements(partition)

    async def closed(self, partition: int, tournament: int) -> None:
        await self._started.wait()
        await self.director.closed(partition, tournament)


async def director_main(process: Process) -> None:
    process.part = part = DirectorPart(process)
    process.ready.set()
    await part.start(process)


class SimulatedLauncher:
    """`Launcher` over the world's slots, as `cluster.actors.director.RayLauncher` over named actors."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    async def start_owner(self, name: str, scopes: list[tuple[int, int, int]]) -> None:
        await self._process.step(f"starts {name}")
        await self._ready(self._world.launch(name, lambda process: owner_main(process, scopes)))

    async def start_ingest(self, name: str, partitions: dict[int, str]) -> None:
        await self._process.step(f"starts {name}")
        await self._ready(self._world.launch(name, lambda process: ingest_main(process, partitions)))

    async def _ready(self, slot: Slot) -> None:
        async def ready() -> None:
            await slot.process.ready.wait()

        await slot.process.call(ready())
        await self._process.step(f"{slot.name} is ready")

    async def adopt(self, owner: str, partition: int, tournament: int, after: int) -> None:
        await self._world.call(self._process, owner, "adopt_one", partition, tournament, after)

    async def release(self, owner: str, partition: int, tournament: int) -> None:
        await self._world.call(self._process, owner, "release", partition, tournament)

    async def dedicated(self) -> list[int]:
        await self._process.step("lists actors")
        names = [name for name in self._world.slots if name.startswith("tournament-")]
        return [int(name.removeprefix("tournament-")) for name in names]

    async def stop(self, name: str) -> None:
        try:
            await self._world.call(self._process, name, "close")
        except ConnectionError:
            return
        self._world.stop(name)


class OwnerPart(Owner):
    """As `cluster.actors.tournament.TournamentActor`: an owner with one more method."""

    async def adopt_one(self, partition: int, tournament: int, after: int) -> None:
        await self.adopt([(partition, tournament, after)])


def read_model_of(process: Process) -> ReadModelWriter | None:
    """Without read models where Palio is embedded."""
    store = process.world.read_model
    if store is None:
        return None
    config = ReadModelWriterConfig(interval_ms=50, check_interval_ms=500, batch_tournaments=2, batch_rows=4)
    return ReadModelWriter(ProcessReadModel(process, store), process.clock_ms, config, lambda: 0.5)  # type: ignore[arg-type]


async def owner_main(process: Process, scopes: list[tuple[int, int, int]]) -> None:
    world = process.world
    config = OwnerConfig(
        publish_interval_ms=50,
        look_interval_ms=200,
        checkpoint_interval_ms=world.random.choice([50, 200, 1000]),
        checkpoint_max_interval_ms=1000,
        over_kept=world.random.choice([1, 2, 100]),
        deltas=DeltaBounds(least_members=1, most=3, rows_share=1, bytes_share=0),  # whatever can be told by a delta is
    )
    process.part = owner = OwnerPart(
        name=process.name,
        instance=process.instance,
        log=ProcessLog(process, world.log),  # type: ignore[arg-type]  # as much of one as owners call
        records=ProcessRecords(process, world.records),
        updates=ProcessUpdates(process),  # type: ignore[arg-type]
        signer=world.signer,
        clock_ms=process.clock_ms,
        config=config,
        read_model=read_model_of(process),
    )
    process.reads = OwnerReads(owner, owner.publisher)
    while True:
        try:
            await owner.adopt(scopes)
            break
        except RecordsUnavailableError:  # ingest has the director tell it to take what it could not
            break
        except LogUnavailableError:
            await process.sleep(0.1)
    process.ready.set()

    async def publish() -> None:
        publisher = owner.publisher
        while True:
            await publisher.wake.wait()
            publisher.wake.clear()
            next_due_ms = await owner.publish_due()
            if next_due_ms is not None:
                asyncio.get_running_loop().call_later(next_due_ms / 1000, publisher.wake.set)

    async def repeat(work: Any) -> None:
        while True:
            await process.sleep(0.04)
            await work()

    process.start(publish())
    process.start(repeat(owner.checkpoint_due))
    process.start(repeat(owner.tick_due))
    process.start(repeat(owner.look_due))
    process.start(repeat(owner.families_due))
    if owner.read_model is not None:
        process.start(repeat(owner.read_model_due))


async def prizes_main(process: Process) -> None:
    """As `cluster.actors.prizes.PrizesActor`."""
    world = process.world
    assert world.ledger is not None
    ledger, log = ProcessLedger(process, world.ledger), ProcessLog(process, world.log)

    async def approve(state: Tournament) -> None:
        key, value = str(state.tournament_id).encode(), encode_message(ApprovePrizes(command_id=process.new_id()))
        await log.append([NewRecord(state.partition, key, value, world.signer.sign(key, value))])

    records: Any = ProcessRecords(process, world.records)
    settler = Settler(records, ledger, process.clock_ms, approve if world.approves else None)  # type: ignore[arg-type]
    config = PayerConfig(at_once=4, lease_ms=300, retry_ms=50, retry_max_ms=200)
    payer = Payer(ledger, ProcessPayouts(process), process.clock_ms, config)  # type: ignore[arg-type]

    async def repeat(work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await process.sleep(0.1)
            with contextlib.suppress(StorageError):
                await work()

    process.part = settler
    process.ready.set()
    process.start(repeat(settler.round))
    process.start(repeat(payer.round))


class CalledDirector:
    """The director in its process, as `actors.ingest.placement.Director`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def _call(self, method: str, *arguments: Any) -> Any:
        return await self._process.world.call(self._process, "director", method, *arguments)

    async def host(self, partition: int, tournament: int, after: int) -> str:
        return await self._call("host", partition, tournament, after)  # type: ignore[no-any-return]

    async def placements(self, partition: int) -> dict[int, str]:
        return await self._call("placements", partition)  # type: ignore[no-any-return]

    async def closed(self, partition: int, tournament: int) -> None:
        await self._call("closed", partition, tournament)


async def ingest_main(process: Process, partitions: dict[int, str]) -> None:
    world = process.world

    async def deliver(owner: str, data: bytes) -> bytes:
        return await world.call(process, owner, "deliver", data)  # type: ignore[no-any-return]

    process.part = ingest = Ingest(
        log=ProcessLog(process, world.log),  # type: ignore[arg-type]  # as much of one as ingest calls
        parser=Parser(world.signer, world.plan.partitions),
        partitions=partitions,
        deliver=deliver,
        director=CalledDirector(process),
        config=IngestConfig(
            batch=world.random.choice([1, 3, 50]),
            buffer=world.random.choice([5, 20, 1000]),
            urgent_batch=world.random.choice([1, 4]),
            poll_wait_ms=50,
            delivery_timeout_ms=400,
            director_timeout_ms=2000,
            director_retry_ms=100,
            retry_ms=20,
            retry_max_ms=100,
            commit_interval_ms=100,
            keep_ms=world.random.choice([0, 0, 500]),
        ),
        sleep=process.sleep,
    )
    process.ready.set()
    process.start(ingest.run())
