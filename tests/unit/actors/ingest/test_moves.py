"""Scores that lie in the wrong partition: moved in order, bounded, never lost, and each with one effect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from actors.domain.messages import encode_score
from actors.domain.values import partition_of
from actors.ingest.dead_letters import DeadLetters
from actors.ingest.moves import APPEND_RECORDS, RETRY_S, Moves
from actors.ingest.parse import Misplaced
from storage.ports import LogRecord, LogUnavailableError, NewRecord
from tests.support.backlog import Backlog, numbers
from tests.support.memory_ports import MemoryScoreLog


class Log(MemoryScoreLog):
    """`calls`: how many records each append had; `errors` are raised by the next ones, after an append where `undecided`."""

    def __init__(self, max_queued: int = 1000) -> None:
        super().__init__(2, clock_ms=lambda: 1000, max_queued=max_queued)
        self.calls: list[int] = []
        self.errors: list[Exception] = []
        self.undecided = False

    def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> asyncio.Future[list[int]]:
        self.calls.append(len(records))
        if self.errors:
            if self.undecided:
                super().append(records, timeout_s)
            raise self.errors.pop(0)
        return super().append(records, timeout_s)


class Bench:
    """Moves to partition 1 of a log; `slept` are the waits it took."""

    def __init__(self, limit: int = 1000, per_s: int = 1000, max_queued: int = 1000) -> None:
        self.log = Log(max_queued)
        self.slept: list[float] = []
        self.letters = DeadLetters(self.log, 10)
        self.moves = Moves(self.log, self.letters, limit=limit, per_s=per_s, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def add(self, *offsets: int, value: bytes = b"v") -> None:
        for offset in offsets:
            self.moves.add(Misplaced(LogRecord(0, offset, 1, b"7", value, "", "replies:x"), 1))

    async def run(self) -> None:
        running = asyncio.create_task(self.moves.run())
        async with asyncio.timeout(5):
            while len(self.moves):
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def moved(self) -> list[str]:
        return [record.moved_from for record in self.log.after(1, -1, 10_000)]


async def test_a_score_is_appended_to_its_partition_as_it_was_and_tells_where_it_lay() -> None:
    bench = Bench()
    bench.add(5, 9)
    await bench.run()
    first, second = bench.log.after(1, -1, 10)
    assert first == LogRecord(1, 0, 1000, b"7", b"v", "", "replies:x", "0/5")
    assert second.moved_from == "0/9"
    assert (bench.moves.total, bench.log.calls) == (2, [2])


async def test_what_is_not_moved_yet_is_not_to_be_committed() -> None:
    bench = Bench()
    bench.add(5, 9)
    assert bench.moves.unmoved == [(0, 4), (0, 8)]
    await bench.run()
    assert bench.moves.unmoved == []


async def test_one_append_at_a_time_of_bounded_size_at_a_bounded_rate() -> None:
    bench = Bench(per_s=50)
    bench.add(*range(2 * APPEND_RECORDS + 1))
    await bench.run()
    assert bench.log.calls == [APPEND_RECORDS, APPEND_RECORDS, 1]
    assert bench.slept[:2] == [APPEND_RECORDS / 50] * 2
    assert bench.moved() == [f"0/{n}" for n in range(2 * APPEND_RECORDS + 1)]
    large = Bench()
    large.add(*range(4), value=b"x" * 400_000)
    await large.run()
    assert large.log.calls == [2, 2]


async def test_at_its_limit_no_more_is_to_be_read() -> None:
    bench = Bench(limit=2)
    bench.add(1)
    assert not bench.moves.full
    bench.add(2)
    assert bench.moves.full
    await bench.run()
    assert not bench.moves.full


@pytest.mark.parametrize("undecided", [False, True])
async def test_an_append_that_fails_is_tried_again_until_it_does_not(
    undecided: bool, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.log.errors, bench.log.undecided = [LogUnavailableError("away"), LogUnavailableError("away")], undecided
    bench.add(5)
    with caplog.at_level(logging.WARNING):
        await bench.run()
    assert bench.moved() == ["0/5"] * (3 if undecided else 1)
    assert bench.slept[:2] == [RETRY_S, RETRY_S]
    assert bench.moves.total == 1
    assert "1 misplaced scores not moved, they will be tried again: away" in caplog.text


async def test_a_queue_that_is_too_small_takes_fewer_and_what_it_never_takes_becomes_a_dead_letter() -> None:
    bench = Bench(max_queued=30)
    bench.add(*range(100))
    await bench.run()
    assert bench.moved() == [f"0/{n}" for n in range(100)]
    never = Bench()
    never.log.errors = [ValueError("a record of 70000 bytes")]
    never.add(3, 4)
    never.log.errors *= 2
    await never.run()
    await never.letters.flush()
    (letter,) = await never.log.dead_letters()
    assert (letter.record.offset, letter.reason, letter.detail) == (3, "wrong_partition", "a record of 70000 bytes")
    assert never.moved() == ["0/4"]


async def test_the_log_warns_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    with caplog.at_level(logging.WARNING):
        bench.add(*range(50))
    (warning,) = caplog.messages
    assert "partition 0 offset 0 of tournament 7, which belongs to 1" in warning
    assert "partitioner=murmur2_random" in warning
    bench.moves._warn_at_s = 0
    with caplog.at_level(logging.WARNING):
        bench.add(50)
    assert caplog.messages[-1].startswith("50 scores in the wrong partition")


# -- with a real owner and ingest ------------------------------------------------------------------------------------


async def test_moved_scores_count_once_also_after_a_crash_between_append_and_commit() -> None:
    backlog = Backlog(partitions={0: "shard-0", 1: "shard-0"})
    await backlog.owner.adopt([(0, 0, -1), (1, 0, -1)])
    tournament = numbers()[0]
    assert partition_of(tournament, 2) == 0
    async with backlog.running():
        await backlog.create(tournament, 10**13)
        await backlog.until(backlog.applied)
        key = str(tournament).encode()
        await backlog.log.append([NewRecord(1, key, encode_score(f"e{n}", 1, n)) for n in range(30)])
        await backlog.until(lambda: backlog.attempts(tournament) == 30)
        committed = await backlog.log.committed()
        assert committed[1] < 30
    # a new process reads from the commit, and moves again what was not committed
    again = backlog.new_ingest({0: "shard-0", 1: "shard-0"})
    backlog.ingest = again
    async with backlog.running():
        await backlog.until(lambda: again.moves.total == 30)
        await backlog.until(backlog.applied)
    assert backlog.attempts(tournament) == 30
    assert backlog.owner.outcomes["ignored", "duplicate"] == 30
    assert await backlog.log.dead_letters() == []


async def test_while_moves_fail_the_commit_waits_and_other_records_are_applied() -> None:
    backlog = Backlog(partitions={0: "shard-0", 1: "shard-0"})
    await backlog.owner.adopt([(0, 0, -1), (1, 0, -1)])
    tournament = numbers()[0]
    append, refused = backlog.log.append, 0

    def no_moves(records: Sequence[NewRecord], timeout_s: float = 5.0) -> asyncio.Future[list[int]]:
        nonlocal refused
        if records and records[0].moved_from:
            refused += 1
            raise LogUnavailableError("away")
        return append(records, timeout_s)

    backlog.log.append = no_moves  # type: ignore[method-assign]
    async with backlog.running():
        await backlog.create(tournament, 10**13)
        await backlog.log.append([NewRecord(1, str(tournament).encode(), encode_score("astray", 1, 100))])
        await backlog.score(tournament, 5)
        await backlog.until(lambda: refused > 0 and backlog.applied())
        assert backlog.attempts(tournament) == 5
        await backlog.owner.checkpointer.full_round(backlog.owner.scopes())
        async with asyncio.timeout(10):
            while (await backlog.log.committed())[0] < 7:
                await asyncio.sleep(0.01)
        assert (await backlog.log.committed())[1] == 0, "its claim, and not what is not moved"
        backlog.log.append = append  # type: ignore[method-assign]
        await backlog.until(lambda: backlog.attempts(tournament) == 6)
