"""The ports as one simulated process sees them: the shared ones in memory, with faults at every call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actors.domain.prizes.ledger import Entry
from actors.domain.values import partition_of
from storage.ports import (
    Checkpoint,
    DeadLetter,
    LogBounds,
    LogRange,
    LogReader,
    LogRecord,
    LogUnavailableError,
    NewRecord,
    Payout,
    PayoutUnavailableError,
    ReadModelDelta,
    ReadModelPosition,
    ReadModelUnavailableError,
    RecordsUnavailableError,
    StoredSnapshot,
)
from storage.records.sql.checkpoint_writer import partition_of_checkpoint
from tests.simulation.process import Process
from tests.support.memory_ports import MemoryScoreLog
from tests.support.memory_prizes import MemoryPrizeLedger
from tests.support.memory_read_model import MemoryReadModel
from tests.support.memory_records import with_snapshot

SHARDS = 2  # of the store, in worlds where it has shards: a partition lies on one of them


class KeptLog(MemoryScoreLog):
    """The shared log; `history` keeps what pruning drops, for the checks."""

    def __init__(self, partitions: int, clock_ms: Callable[[], int]) -> None:
        super().__init__(partitions, clock_ms=clock_ms)
        self.history: list[list[LogRecord]] = [[] for _ in range(partitions)]

    def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> asyncio.Future[list[int]]:
        appended = super().append(records, timeout_s)
        for record, offset in zip(records, appended.result(), strict=True):
            self.history[record.partition].extend(self.after(record.partition, offset - 1, 1))
        return appended


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

    async def projected(self, partition: int, scopes: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = await self.__getattr__("projected")(partition, scopes)
        # the shard's position is noted: all that lies there
        for number, kept in self._records.all_snapshots().items():
            if (partition_of(number, self._process.world.plan.partitions) - partition) % SHARDS == 0:
                self._settled[number] = kept
        return found

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """Of the least that a replica may have."""
        await self._process.step("settled_snapshots")
        return self._settled.get(tournament_id, [])

    def _settle(self, checkpoint: Checkpoint) -> None:
        for snapshot in checkpoint.snapshots:
            known = self._settled.get(snapshot.tournament_id, [])
            self._settled[snapshot.tournament_id] = with_snapshot(known, snapshot)

    async def save_each(self, checkpoints: Sequence[Checkpoint]) -> list[RecordsUnavailableError | None]:
        errors: list[RecordsUnavailableError | None] = []
        for checkpoint in checkpoints:
            try:
                await self.save(checkpoint)
            except RecordsUnavailableError as error:
                errors.append(error)
            else:
                errors.append(None)
        return errors

    async def save(self, checkpoint: Checkpoint) -> None:
        world = self._process.world
        everything = frozenset(row.tournament_id for row in checkpoint.tournaments)
        await self._process.step("save")
        away = self._is_away(partition_of_checkpoint(checkpoint))
        if away or world.faults.strike("save_fails"):
            world.refused |= everything
            if away and world.faults.strike("save_unacknowledged"):  # as it went
                await self._records.save(checkpoint)
            raise RecordsUnavailableError("simulated: not saved")
        await self._records.save(checkpoint)
        await self._process.step("saved")
        if world.faults.strike("save_unacknowledged"):
            world.refused |= everything
            raise RecordsUnavailableError("simulated: saved, not acknowledged")
        self._settle(checkpoint)

    def _is_away(self, partition: int) -> bool:
        """Whether the shard of a partition is away: nobody else's business."""
        return partition % SHARDS == self._process.world.faults.away(self._process.world.clock_ms())

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._records, name)
        world = self._process.world

        async def call(*args: Any, **named: Any) -> Any:
            await self._process.step(name)
            if name in ("active", "projected", "snapshots_of"):
                away = self._is_away(args[0])
            else:
                away = name == "snapshots" and self._is_away(partition_of(args[0], world.plan.partitions))
            if away:
                raise RecordsUnavailableError(f"simulated: {name} finds the shard away")
            if world.faults.strike("read_fails"):
                raise RecordsUnavailableError(f"simulated: {name} did not answer")
            return await method(*args, **named)

        return call


class ProcessLedger:
    """`PrizeLedger` for one process, as far as settlers and payers call it."""

    def __init__(self, process: Process, ledger: MemoryPrizeLedger) -> None:
        self._process = process
        self._ledger = ledger

    async def waiting(self, limit: int) -> dict[int, int]:
        await self._process.step("waiting")
        return await self._ledger.waiting(limit)

    async def entries(self, tournament_id: int) -> list[Entry]:
        await self._process.step("entries")
        if self._process.world.faults.strike("read_fails"):
            raise RecordsUnavailableError("simulated: entries did not answer")
        return await self._ledger.entries(tournament_id)

    async def write(self, tournament_id: int, entries: Sequence[Entry], upto: int = -1) -> None:
        faults = self._process.world.faults
        await self._process.step("write entries")
        if faults.strike("save_fails"):
            raise RecordsUnavailableError("simulated: entries not written")
        await self._ledger.write(tournament_id, entries, upto)
        await self._process.step("entries written")
        if faults.strike("save_unacknowledged"):
            raise RecordsUnavailableError("simulated: entries written, not acknowledged")

    async def payable(self, now_ms: int, tournaments: int, each: int) -> list[Entry]:
        await self._process.step("payable")
        return await self._ledger.payable(now_ms, tournaments, each)


class ProcessPayouts:
    """`Payouts` for one process: whoever pays knows the keys, and does not always answer."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def pay(self, payout: Payout) -> str:
        world = self._process.world
        await self._process.step(f"pays {payout.key}")
        if world.faults.strike("append_fails"):
            raise PayoutUnavailableError("simulated: not now")
        before = world.paid.setdefault(payout.key, payout)
        world.expect(before == payout, f"{payout.key} was {before} and is {payout}")
        await self._process.step("paid")
        if world.faults.strike("append_unacknowledged"):
            raise PayoutUnavailableError("simulated: paid, not acknowledged")
        return payout.key

    async def close(self) -> None:
        """Nothing to release."""


class ProcessUpdates:
    """`Updates` for one process: what it publishes is judged at once by the world's gateway."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        await self._process.step("publish")
        self._process.world.gateway.take(self._process, messages)

    async def listened(self) -> list[str] | None:
        await self._process.step("listened")
        if self._process.world.faults.strike("read_fails"):
            return None
        return self._process.world.gateway.channels()


class ProcessReadModel:
    """The write side of `ReadModel` for one process: writes fail or are not acknowledged, what was written gets lost."""

    def __init__(self, process: Process, read_model: MemoryReadModel) -> None:
        self._process = process
        self._read_model = read_model

    async def write(self, deltas: Sequence[ReadModelDelta]) -> list[int]:
        world = self._process.world
        await self._process.step("write read model")
        if world.faults.strike("answer_lost"):
            self._read_model.lose(world.random.choice(deltas).tournament_id)
        failed = frozenset(delta.tournament_id for delta in deltas if world.faults.strike("save_fails"))
        refused = await self._read_model.write([delta for delta in deltas if delta.tournament_id not in failed])
        await self._process.step("read model written")
        if world.faults.strike("save_unacknowledged"):
            failed = frozenset(delta.tournament_id for delta in deltas)
        if failed:
            raise ReadModelUnavailableError("simulated: not written, or not acknowledged", failed)
        return refused

    async def positions(self, epochs: Mapping[int, int]) -> dict[int, ReadModelPosition | None]:
        await self._process.step("positions of read model")
        if self._process.world.faults.strike("read_fails"):
            return {}
        return await self._read_model.positions(epochs)
