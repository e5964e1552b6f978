"""A real owner and a real ingest over a log in memory, with a clock that stands still: the owner may be as slow, or away, as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from actors.domain.codec import encode_snapshot
from actors.domain.delivery import Range, decode_ranges
from actors.domain.fold import apply
from actors.domain.messages import Create, Join, Spec, Tick, encode_message, encode_score
from actors.domain.signing import Signer
from actors.domain.tournament import Tournament
from actors.domain.values import partition_of
from actors.ingest.ingest import Ingest, IngestConfig
from actors.ingest.parse import Parsed, Parser
from actors.owner.owner import Owner, OwnerConfig
from storage.ports import NewRecord
from tests.support.histories import BEGIN_MS, SALT
from tests.support.memory_ports import MemoryRecords, MemoryScoreLog

PARTITIONS = 2
RECORD_S = 0.0002  # what a record costs the slow owner: 5,000 a second


class Backlog:
    """One owner that takes RECORD_S for each record, one ingest, and a log that both share. Time stands still, but for what passes."""

    def __init__(self, partitions: Mapping[int, str] = MappingProxyType({0: "shard-0"})) -> None:
        self.signer = Signer({"k": b"secret"}, "k")
        self.now_ms = BEGIN_MS
        self.log = MemoryScoreLog(PARTITIONS, clock_ms=lambda: self.now_ms, max_queued=10**6)
        self.sent: list[list[Range]] = []
        self.slow = False
        self.free = asyncio.Event()  # the owner is busy with a delivery until then
        self.free.set()
        self.owner = self.new_owner("first")
        self.ingest = self.new_ingest(partitions)

    def new_ingest(self, partitions: Mapping[int, str]) -> Ingest:
        ingest = Ingest(
            log=self.log,
            parser=Parser(self.signer, PARTITIONS),
            partitions=partitions,
            deliver=self.deliver,
            director=None,  # type: ignore[arg-type]  # asked for nothing but what is below
            config=IngestConfig(batch=400, poll_wait_ms=1, retry_ms=1, retry_max_ms=2, commit_interval_ms=20),
        )
        ingest.placement.load = self.load  # type: ignore[method-assign]
        return ingest

    async def load(self, partition: int) -> None:
        """No dedicated tournaments."""

    def new_owner(self, instance: str) -> Owner:
        class Unheard:
            async def publish(self, _messages: object) -> None: ...

        return Owner(
            name="shard-0",
            instance=instance,
            log=self.log,
            records=MemoryRecords(),
            updates=Unheard(),  # type: ignore[arg-type]
            signer=self.signer,
            clock_ms=lambda: self.now_ms,
            config=OwnerConfig(),
        )

    async def deliver(self, _owner: str, data: bytes) -> bytes:
        ranges = decode_ranges(data)
        self.sent.append(ranges)
        await self.free.wait()
        if self.slow:
            await asyncio.sleep(RECORD_S * sum(len(each.items) for each in ranges))
        return await self.owner.deliver(data)

    async def create(self, tournament: int, ends_ms: int) -> None:
        spec = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=ends_ms)
        create = Create(
            command_id="c", creator="1", created_ms=1, spec=spec, dedicated=False, salt=SALT, request_digest="d"
        )
        for message in (create, Join(command_id="j", user_id="1")):
            key, value = str(tournament).encode(), encode_message(message)
            await self.log.append([NewRecord(0, key, value, self.signer.sign(key, value))])

    async def score(self, tournament: int, count: int, begin: int = 0) -> None:
        key = str(tournament).encode()
        await self.log.append(
            [NewRecord(0, key, encode_score(f"e{n}", 1, 100 * n)) for n in range(begin, begin + count)]
        )

    async def tick(self, tournament: int) -> None:
        await self.log.append([NewRecord(0, str(tournament).encode(), encode_message(Tick()))])

    async def until(self, done: Callable[[], bool]) -> int:
        """Waits for it; how many deliveries with records that took."""
        before = len(self.sent)
        async with asyncio.timeout(60):
            while not done():
                await asyncio.sleep(0.001)
        return sum(any(each.items for each in ranges) for ranges in self.sent[before:])

    def applied(self) -> bool:
        return all(scope.watermark == len(self.log._records[scope.partition]) - 1 for scope in self.owner.scopes())

    def attempts(self, tournament: int) -> int:
        state = self.owner.tournaments.active[tournament].state
        return state.members.attempts[0] if state.members.attempts else 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.ingest.run())
        yield
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def folded(self, tournament: int) -> bytes:
        """The snapshot of a plain fold of the log."""
        parser, state = Parser(self.signer, PARTITIONS), None
        for record in self.log._records[0]:
            parsed = parser.parse(record)
            if isinstance(parsed, Parsed) and parsed.item.tournament_id == tournament:
                state, _ = apply(state, tournament, 0, parsed.item)
        assert isinstance(state, Tournament)
        return encode_snapshot(state)


def numbers() -> list[int]:
    return [number for number in range(1, 1000) if partition_of(number, PARTITIONS) == 0]
