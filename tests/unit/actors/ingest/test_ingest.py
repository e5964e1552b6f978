"""Ingest: what its metrics tell while an owner is away, and what it does when records are gone from the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from actors.domain.delivery import DeliveryAnswer, ScopePosition, decode_ranges, encode_answer
from actors.domain.messages import encode_score
from actors.domain.signing import Signer
from actors.ingest.ingest import Ingest, IngestConfig
from actors.ingest.parse import Parser
from storage.ports import LogError, NewRecord
from tests.support.histories import BEGIN_MS
from tests.support.memory_ports import MemoryScoreLog

PARTITIONS = 2


def tournament_in(partition: int) -> int:
    from actors.domain.values import partition_of

    return next(number for number in range(1, 1000) if partition_of(number, PARTITIONS) == partition)


class Away:
    """An owner that is away until `there`; then it takes what it gets."""

    def __init__(self) -> None:
        self.there = False
        self.watermarks = dict.fromkeys(range(PARTITIONS), -1)

    async def deliver(self, _owner: str, data: bytes) -> bytes:
        if not self.there:
            raise ConnectionError("away")
        positions = []
        for wanted in decode_ranges(data):
            if wanted.after == self.watermarks[wanted.partition]:
                self.watermarks[wanted.partition] = wanted.upto
            positions.append(ScopePosition(wanted.partition, 0, self.watermarks[wanted.partition], -1))
        return encode_answer(DeliveryAnswer(positions, []))


class Director:
    """Knows the dedicated tournaments that are stored, none at first."""

    def __init__(self) -> None:
        self.stored: dict[int, tuple[int, str]] = {}
        self.away: set[int] = set()  # partitions whose records do not answer

    async def placements(self, partition: int) -> dict[int, str]:
        if partition in self.away:
            raise ConnectionError("away")
        return {tournament: owner for tournament, (at, owner) in self.stored.items() if at == partition}

    async def host(self, *_: int) -> str:
        raise AssertionError("nothing moved")

    async def closed(self, *_: int) -> None:
        raise AssertionError("nothing closed")


def ingest_of(
    log: MemoryScoreLog, owner: Away, batch: int = 2000, director: Director | None = None, retry_ms: int = 1
) -> Ingest:
    return Ingest(
        log=log,
        parser=Parser(Signer({"k": b"secret"}, "k"), PARTITIONS),
        partitions=dict.fromkeys(range(PARTITIONS), "shard-0"),
        deliver=owner.deliver,
        director=director or Director(),
        config=IngestConfig(
            batch=batch,
            retry_ms=retry_ms,
            retry_max_ms=2 * retry_ms,
            commit_interval_ms=5,
            poll_wait_ms=5,
            keep_ms=10**9,
        ),
    )


async def append(log: MemoryScoreLog, partition: int, count: int) -> None:
    key = str(tournament_in(partition)).encode()
    await log.append([NewRecord(partition, key, encode_score(f"e{n}", 1, 100)) for n in range(count)])


async def test_lag_grows_while_an_owner_is_away_and_goes_when_it_is_back() -> None:
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    ingest = ingest_of(log, owner)
    running = asyncio.create_task(ingest.run())
    await append(log, 0, 500)
    await asyncio.sleep(0.1)
    assert ingest.progress.lag_records() == {0: 500, 1: 0}
    assert ingest.progress.oldest_unapplied_ms() == {0: BEGIN_MS}
    assert ingest.progress.lag_records({0: 599, 1: -1})[0] == 600, "also what is not read yet"
    owner.there = True
    await asyncio.sleep(0.3)
    assert ingest.progress.lag_records() == {0: 0, 1: 0}
    assert ingest.progress.oldest_unapplied_ms() == {}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_partition_whose_records_are_gone_stops_alone() -> None:
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    owner.there = True
    await append(log, 0, 10)
    log._starts[0] = 5  # lost, and nobody made them durable
    ingest = ingest_of(log, owner)
    running = asyncio.create_task(ingest.run())
    await append(log, 1, 3)
    await asyncio.sleep(0.2)
    assert ingest.stopped == {0}
    assert owner.watermarks[1] == 2, "the other partition goes on"
    assert owner.watermarks[0] == -1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_partition_whose_records_are_away_at_the_start_waits_alone() -> None:
    log, owner, director = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away(), Director()
    owner.there = True
    director.away, director.stored = {0}, {77: (0, "tournament-77")}
    ingest = ingest_of(log, owner, director=director)
    ingest.config = replace(ingest.config, director_retry_ms=20)
    for partition in range(PARTITIONS):
        await append(log, partition, 3)
    running = asyncio.create_task(ingest.run())
    await asyncio.sleep(0.2)
    assert owner.watermarks == {0: -1, 1: 2}
    assert ingest.unread == {0}
    assert 0 not in await ingest.commit(), "what is not read is not taken for durable"
    director.away.clear()
    await asyncio.sleep(0.2)
    assert owner.watermarks == {0: 2, 1: 2}
    assert (0, 77) in ingest.feeds["tournament-77"].positions
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_partition_that_is_asked_for_twice_is_read_once() -> None:
    """An answer that comes late does not begin anew what is read by then."""
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    late = asyncio.Event()

    class LateDirector(Director):
        asked = 0

        async def placements(self, partition: int) -> dict[int, str]:
            self.asked += 1
            if self.asked <= PARTITIONS:
                await late.wait()
            return {}

    director = LateDirector()
    ingest = ingest_of(log, owner, director=director)
    first = asyncio.create_task(ingest._ask())
    while director.asked < PARTITIONS:
        await asyncio.sleep(0)
    await ingest.open()
    await append(log, 0, 3)
    assert await ingest.read_once(5) == 3
    late.set()
    await first
    await ingest._read_known()
    assert ingest.windows[0].upto == 2


async def test_what_another_process_made_durable_is_not_missed() -> None:
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    director = Director()
    ingest = ingest_of(log, owner, director=director)
    await ingest.open()
    await append(log, 0, 10)
    await log.commit({0: 6})
    log._starts[0] = 7  # pruned by a twin that is ahead
    director.stored = {77: (0, "tournament-77")}  # its create is among what is gone
    reading = asyncio.create_task(ingest._read_loop())
    await asyncio.sleep(0.1)
    assert ingest.stopped == set()
    assert ingest.windows[0].upto == 9
    assert (0, 77) in ingest.feeds["tournament-77"].positions
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_what_another_process_makes_durable_while_this_one_looks_is_not_missed() -> None:
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    ingest = ingest_of(log, owner)
    await ingest.open()
    await append(log, 0, 10)
    log._starts[0] = 3
    await log.commit({0: 4})
    answers = [log.committed, log.bounds]

    async def and_then_the_twin_goes_on(answer: Callable[[], Awaitable[Any]]) -> Any:
        found = await answer()
        await log.commit({0: 8})
        log._starts[0] = 9
        return found

    log.committed, log.bounds = (partial(and_then_the_twin_goes_on, answer) for answer in answers)  # type: ignore[method-assign]
    reading = asyncio.create_task(ingest._read_loop())
    await asyncio.sleep(0.1)
    assert ingest.stopped == set()
    assert ingest.windows[0].upto == 9
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_what_an_owner_cannot_take_is_not_sent_again_at_once() -> None:
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    sent = 0

    async def deliver(_owner: str, data: bytes) -> bytes:
        nonlocal sent
        ranges = decode_ranges(data)
        sent += any(wanted.items for wanted in ranges)
        return encode_answer(DeliveryAnswer([ScopePosition(wanted.partition, 0, -1, -1) for wanted in ranges], []))

    owner.deliver = deliver  # type: ignore[method-assign]
    ingest = ingest_of(log, owner, retry_ms=50)
    await append(log, 0, 1500)
    began_s = time.monotonic()
    running = asyncio.create_task(ingest.run())
    while sent < 4:
        await asyncio.sleep(0.01)
    assert time.monotonic() - began_s > 0.1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_records_are_not_lost_with_a_dead_letter_that_is_refused() -> None:
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    owner.there = True

    async def refuse(_letters: object) -> None:
        raise LogError("not allowed")

    log.dead_letter = refuse  # type: ignore[method-assign,assignment]
    ingest = ingest_of(log, owner)
    await log.append([NewRecord(0, str(tournament_in(0)).encode(), b"no score")])
    await append(log, 1, 3)
    running = asyncio.create_task(ingest.run())
    await asyncio.sleep(0.3)
    assert owner.watermarks == {0: 0, 1: 2}
    assert ingest.windows[1].upto == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_scope_that_closed_while_its_owner_was_asked_for_is_fed_no_more() -> None:
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    asked, answered = asyncio.Event(), asyncio.Event()

    class Slow(Director):
        async def host(self, *_: int) -> str:
            asked.set()
            await answered.wait()
            return "tournament-77"

        async def closed(self, *_: int) -> None:
            pass

    director = Slow()
    director.stored = {77: (0, "tournament-77")}
    ingest = ingest_of(log, owner, director=director)
    await ingest.open()
    running = asyncio.create_task(ingest.placement.run())
    ingest.placement.moved("tournament-77", 0, 77)
    await asked.wait()
    ingest.placement.closed("tournament-77", 0, 77)
    answered.set()
    await asyncio.sleep(0.05)
    assert ingest.feeds["tournament-77"].positions == {}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_busy_partition_does_not_hold_up_another() -> None:
    log, owner = MemoryScoreLog(PARTITIONS, clock_ms=lambda: BEGIN_MS), Away()
    owner.there = True
    ingest = ingest_of(log, owner, batch=10)
    await ingest.open()
    await append(log, 0, 200)
    await append(log, 1, 1)
    while await ingest.read_once(0):
        pass
    feed = ingest.feeds["shard-0"]
    await feed.ask()
    for _ in range(2):
        await feed.step()
    assert owner.watermarks[1] == 0, owner.watermarks
