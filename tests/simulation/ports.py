"""The ports as one simulated process sees them: the shared ones in memory, with faults at every call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from storage.ports import (
    Checkpoint,
    CopyPosition,
    DeadLetter,
    LogBounds,
    LogRange,
    LogReader,
    LogRecord,
    LogUnavailableError,
    NewRecord,
    ReadModelDelta,
    ReadModelUnavailableError,
    RecordsUnavailableError,
    StoredSnapshot,
)
from tests.simulation.process import Process
from tests.support.memory_copies import MemoryCopies
from tests.support.memory_ports import MemoryScoreLog

SHARDS = 2  # of the store, in worlds where it has shards
CATALOG = 0  # the one that has the offsets of shared scopes
TOURNAMENT = "tournament-"
OF_ALL = ("active", "projected")  # these ask every shard


class KeptLog(MemoryScoreLog):
    """The shared log; `history` keeps what pruning drops, for the checks."""

    def __init__(self, partitions: int, clock_ms: Callable[[], int]) -> None:
        super().__init__(partitions, clock_ms=clock_ms)
        self.history: list[list[LogRecord]] = [[] for _ in range(partitions)]

    async def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> list[int]:
        offsets = await super().append(records, timeout_s)
        for record, offset in zip(records, offsets, strict=True):
            self.history[record.partition].extend(self.after(record.partition, offset - 1, 1))
        return offsets


class ProcessLog:
    """`ScoreLog` for one process."""

    def __init__(self, process: Process, log: MemoryScoreLog) -> None:
        self._process = process
        self._log = log
        self.partitions = log.partitions
        self.identity = log.identity

    async def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> list[int]:
        faults = self._process.world.faults
        await self._process.step("append")
        if faults.strike("append_fails"):
            raise LogUnavailableError("simulated: not appended", retry_after_s=0.05)
        if faults.strike("record_twice"):
            await self._log.append(records)
        offsets = await self._log.append(records)
        await self._process.step("appended")
        if faults.strike("append_unacknowledged"):
            raise LogUnavailableError("simulated: appended, not acknowledged", retry_after_s=0.05)
        return offsets

    def reader(self, positions: Mapping[int, int]) -> LogReader:
        return _ProcessReader(self._process, self._log.reader(positions))

    async def read(self, partition: int, after: int, max_records: int) -> LogRange:
        await self._process.step("read")
        if self._process.world.faults.strike("read_fails"):
            raise LogUnavailableError("simulated: not read", retry_after_s=0.05)
        return await self._log.read(partition, after, max_records)

    async def bounds(self) -> dict[int, LogBounds]:
        await self._process.step("bounds")
        return await self._log.bounds()

    async def commit(self, offsets: Mapping[int, int]) -> None:
        await self._process.step(f"commit {dict(offsets)}")
        await self._log.commit(offsets)

    async def committed(self) -> dict[int, int]:
        await self._process.step("committed")
        return await self._log.committed()

    async def prune(self, keep_ms: int) -> int:
        await self._process.step("prune")
        return await self._log.prune(keep_ms)

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        await self._process.step("dead_letter")
        if self._process.world.faults.strike("append_fails"):
            raise LogUnavailableError("simulated: letters not stored", retry_after_s=0.05)
        await self._log.dead_letter(letters)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return await self._log.dead_letters(limit)

    async def close(self) -> None:
        """The shared log stays."""


class _ProcessReader:
    def __init__(self, process: Process, reader: LogReader) -> None:
        self._process = process
        self._reader = reader

    async def poll(self, max_records: int, wait_ms: int) -> list[LogRange]:
        await self._process.step("poll")
        if self._process.world.faults.strike("read_fails"):
            raise LogUnavailableError("simulated: not polled", retry_after_s=0.05)
        return await self._reader.poll(max_records, wait_ms)

    async def close(self) -> None:
        await self._reader.close()


class ProcessRecords:
    """`Records` for one process; what is not named here passes through with a step."""

    def __init__(self, process: Process, records: Any) -> None:
        self._process = process
        self._records = records
        self._settled: dict[int, list[StoredSnapshot]] = {}  # what this process knows to be durable, and not a row more

    async def projected(self, scopes: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = await self.__getattr__("projected")(scopes)
        self._settled = self._records.all_snapshots()
        return found

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """Of the least that a copy may have."""
        await self._process.step("settled_snapshots")
        return self._settled.get(tournament_id, [])

    def _settle(self, checkpoint: Checkpoint, unsaved: frozenset[int] = frozenset()) -> None:
        for snapshot in checkpoint.snapshots:
            if snapshot.tournament_id not in unsaved:
                self._settled[snapshot.tournament_id] = [snapshot, *self._settled.get(snapshot.tournament_id, [])][:2]

    async def save(self, checkpoint: Checkpoint) -> None:
        world = self._process.world
        everything = frozenset(row.tournament_id for row in checkpoint.tournaments)
        await self._process.step("save")
        if world.faults.strike("save_fails"):
            world.refused |= everything
            raise RecordsUnavailableError("simulated: not saved")
        if world.faults.sharded:
            await self._save_sharded(checkpoint)
        else:
            await self._records.save(checkpoint)
        await self._process.step("saved")
        if world.faults.strike("save_unacknowledged"):
            world.refused |= everything
            raise RecordsUnavailableError("simulated: saved, not acknowledged")
        self._settle(checkpoint)

    async def _save_sharded(self, checkpoint: Checkpoint) -> None:
        """As `storage.records.mysql.sharded`: the part of each shard, and last what stands for both; a shard that is away takes nothing, or
        takes it and does not say so."""
        world = self._process.world
        away = world.faults.away(world.clock_ms())
        if world.faults.strike("save_partly"):
            away = world.random.randrange(SHARDS)
        for shard in range(SHARDS):
            if shard != away or world.faults.strike("save_unacknowledged"):
                await self._records.save(_part(checkpoint, shard))
        shared = [scope for scope in checkpoint.projected if not scope[0].startswith(TOURNAMENT)]
        names = [row.tournament_id for row in checkpoint.tournaments]
        names += [
            int(scope.removeprefix(TOURNAMENT)) for scope, _, _ in checkpoint.projected if scope.startswith(TOURNAMENT)
        ]
        unsaved = frozenset(number for number in names if number % SHARDS == away)
        if unsaved or (shared and away == CATALOG):
            world.refused |= unsaved
            self._settle(checkpoint, unsaved)
            raise RecordsUnavailableError(f"simulated: shard {away} is away", unsaved)
        await self._records.save(Checkpoint([], [], [], [], shared))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._records, name)
        world = self._process.world

        async def call(*args: Any, **named: Any) -> Any:
            await self._process.step(name)
            away = world.faults.away(world.clock_ms())
            if away is not None and (name in OF_ALL or (name == "snapshots" and args[0] % SHARDS == away)):
                raise RecordsUnavailableError(f"simulated: shard {away} is away")
            if world.faults.strike("read_fails"):
                raise RecordsUnavailableError(f"simulated: {name} did not answer")
            return await method(*args, **named)

        return call


def _part(checkpoint: Checkpoint, shard: int) -> Checkpoint:
    """What of a checkpoint lies on a shard."""
    rows = [[row for row in rows if row.tournament_id % SHARDS == shard] for rows in checkpoint[:4]]  # type: ignore[attr-defined]
    own = [
        scope
        for scope in checkpoint.projected
        if scope[0].startswith(TOURNAMENT) and int(scope[0].removeprefix(TOURNAMENT)) % SHARDS == shard
    ]
    return Checkpoint(*rows, own)  # type: ignore[arg-type]


class ProcessUpdates:
    """`Updates` for one process: what it publishes is judged at once by the world's gateway."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        await self._process.step("publish")
        self._process.world.gateway.take(self._process, messages)


class ProcessCopies:
    """The write side of `ReadModel` for one process: writes fail or are not acknowledged, copies get lost."""

    def __init__(self, process: Process, copies: MemoryCopies) -> None:
        self._process = process
        self._copies = copies

    async def write(self, deltas: Sequence[ReadModelDelta]) -> list[int]:
        world = self._process.world
        await self._process.step("write copies")
        if world.faults.strike("answer_lost"):
            self._copies.lose(world.random.choice(deltas).tournament_id)
        failed = frozenset(delta.tournament_id for delta in deltas if world.faults.strike("save_fails"))
        refused = await self._copies.write([delta for delta in deltas if delta.tournament_id not in failed])
        await self._process.step("copies written")
        if world.faults.strike("save_unacknowledged"):
            failed = frozenset(delta.tournament_id for delta in deltas)
        if failed:
            raise ReadModelUnavailableError("simulated: not written, or not acknowledged", failed)
        return refused

    async def positions(self, tended: Mapping[int, int]) -> dict[int, CopyPosition | None]:
        await self._process.step("positions of copies")
        if self._process.world.faults.strike("read_fails"):
            return {}
        return await self._copies.positions(tended)
