"""What every ScoreLog must keep, as `storage/ports/score_log.py` states it."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest

from serve_app.services.log_clock import LogClock
from storage.ports import (
    DeadLetter,
    LogBounds,
    LogReader,
    LogRecord,
    LogTruncatedError,
    LogUnavailableError,
    NewRecord,
    ScoreLog,
)
from tests.contract.conftest import PARTITIONS, LogUnderTest


def new(partition: int, n: int) -> NewRecord:
    return NewRecord(partition, b"%d" % (1000 + partition), b"value-%d" % n)


async def drain(reader: LogReader, wanted: int, max_records: int = 100, wait_ms: int = 5_000) -> list[LogRecord]:
    """Poll until `wanted` records came; checks that the ranges of each partition follow one another."""
    found: list[LogRecord] = []
    upto: dict[int, int] = {}
    while len(found) < wanted:
        ranges = await reader.poll(max_records, wait_ms)
        assert ranges, f"only {len(found)} of {wanted} records came"
        assert sum(len(r.records) for r in ranges) <= max_records
        for part in ranges:
            assert part.after == upto.get(part.partition, part.after)
            offsets = [record.offset for record in part.records]
            assert offsets == sorted(set(offsets))
            assert all(part.after < offset <= part.upto for offset in offsets)
            assert all(record.partition == part.partition for record in part.records)
            upto[part.partition] = part.upto
        found += [record for part in ranges for record in part.records]
    return found


def everything(log: ScoreLog) -> dict[int, int]:
    return dict.fromkeys(range(log.partitions), -1)


async def test_offsets_come_in_the_order_of_the_call_and_grow_within_a_partition(log: ScoreLog) -> None:
    first = await log.append([new(0, 1), new(1, 2), new(0, 3)])
    second = await log.append([new(0, 4), new(1, 5)])
    assert first[0] < first[2] < second[0]
    assert first[1] < second[1]


async def test_a_record_is_read_as_it_was_appended(bench: LogUnderTest) -> None:
    log = bench.open()
    record = NewRecord(3, b"4611686018427387904", bytes(range(256)), "hmac:k1:äöü", "replies:gateway-1")
    (offset,) = await log.append([record])
    (back,) = (await log.read(3, -1, 10)).records
    assert back == LogRecord(3, offset, back.time_ms, *record[1:])
    assert bench.is_now(back.time_ms)
    assert await drain(log.reader({3: -1}), 1) == [back]


async def test_a_record_that_was_moved_tells_from_where_and_those_beside_it_do_not(log: ScoreLog) -> None:
    moved = NewRecord(3, b"7", b"moved", reply_to="replies:a", moved_from="1/12345678901")
    await log.append([new(3, 1), moved, new(3, 2)])
    records = (await log.read(3, -1, 10)).records
    assert [(r.value, r.reply_to, r.moved_from) for r in records] == [
        (b"value-1", "", ""),
        (b"moved", "replies:a", "1/12345678901"),
        (b"value-2", "", ""),
    ]
    assert await drain(log.reader({3: -1}), 3) == records


async def test_nothing_is_queued_once_all_is_appended(log: ScoreLog) -> None:
    assert log.queued == 0
    appending = [log.append([new(0, 1), new(1, 2)]) for _ in range(10)]
    await asyncio.sleep(0)
    assert 0 <= log.queued <= 20
    await asyncio.gather(*appending)
    assert log.queued == 0


async def test_an_empty_call_appends_nothing(log: ScoreLog) -> None:
    assert await log.append([]) == []
    assert log.queued == 0
    assert await log.bounds() == {p: LogBounds(0, -1) for p in range(PARTITIONS)}


async def test_a_call_that_is_cancelled_disturbs_no_other(log: ScoreLog) -> None:
    before, cancelled, after = (log.append([new(0, n)]) for n in range(3))
    cancelled.cancel()
    await asyncio.gather(before, after)
    await asyncio.gather(cancelled, return_exceptions=True)
    values = [record.value for record in (await log.read(0, -1, 10)).records]
    assert [value for value in values if value != b"value-1"] == [b"value-0", b"value-2"]
    assert log.queued == 0


@pytest.mark.parametrize("partition", [-1, PARTITIONS])
async def test_an_unknown_partition_is_refused_with_the_whole_call(log: ScoreLog, partition: int) -> None:
    with pytest.raises(ValueError, match="partition"):
        await log.append([new(0, 1), new(partition, 2)])
    assert (await log.read(0, -1, 10)).records == []


async def test_what_is_not_bytes_is_refused_with_the_whole_call(log: ScoreLog) -> None:
    with pytest.raises(TypeError, match="bytes"):
        await log.append([new(0, 1), NewRecord(0, b"1", "text")])  # type: ignore[arg-type]
    assert (await log.read(0, -1, 10)).records == []


async def test_more_than_the_queue_may_ever_hold_is_refused(bench: LogUnderTest) -> None:
    log = bench.open(max_queued=10)
    with pytest.raises(ValueError, match="11 records"):
        await log.append([new(0, i) for i in range(11)])
    assert len(await log.append([new(0, i) for i in range(10)])) == 10


async def test_time_never_goes_back(bench: LogUnderTest) -> None:
    log = bench.open()
    start = bench.clock.now_ms
    for moved_ms in (0, 100, -5_000, 50, 200):
        bench.clock.now_ms = (
            start + moved_ms
        )  # of no effect on a broker: see its own tests for a clock that is set back
        await log.append([new(0, moved_ms)])
    times = [record.time_ms for record in (await log.read(0, -1, 10)).records]
    assert len(times) == 5
    assert times == sorted(times)
    if bench.clock_moves:
        assert [time_ms - start for time_ms in times] == [0, 100, 100, 100, 200]
    else:
        assert all(map(bench.is_now, times))


async def test_concurrent_calls_keep_their_order_and_every_record_is_there_once(log: ScoreLog) -> None:
    rng = random.Random(7)
    calls = [[new(rng.randrange(PARTITIONS), 100 * c + i) for i in range(rng.randint(1, 9))] for c in range(60)]
    offsets = await asyncio.gather(*(log.append(call) for call in calls))
    expected: dict[int, dict[int, bytes]] = defaultdict(dict)
    for call, given in zip(calls, offsets, strict=True):
        for record, offset in zip(call, given, strict=True):
            assert offset not in expected[record.partition]
            expected[record.partition][offset] = record.value
        for partition in range(PARTITIONS):
            own = [o for r, o in zip(call, given, strict=True) if r.partition == partition]
            assert own == sorted(own)
    read = await drain(log.reader(everything(log)), sum(map(len, calls)), max_records=17)
    assert {p: {r.offset: r.value for r in read if r.partition == p} for p in expected} == expected
    assert len(read) == sum(map(len, calls))


async def test_a_reader_goes_on_where_it_was_and_sees_what_comes_later(log: ScoreLog) -> None:
    reader = log.reader(everything(log))
    assert await reader.poll(10, 0) == []
    await log.append([new(0, 1), new(1, 2)])
    assert {r.value for r in await drain(reader, 2)} == {b"value-1", b"value-2"}
    assert await reader.poll(10, 0) == []
    waiting = asyncio.create_task(drain(reader, 1))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    await log.append([new(4, 3)])
    assert [r.value for r in await waiting] == [b"value-3"]


async def test_a_reader_starts_after_the_positions_given_and_reads_its_partitions_only(log: ScoreLog) -> None:
    offsets = [(await log.append([new(p, i) for p in range(PARTITIONS)]))[2] for i in range(6)]
    reader = log.reader({2: offsets[3], 0: -1})
    found = await drain(reader, 8, max_records=3)
    assert [r.value for r in found if r.partition == 2] == [b"value-4", b"value-5"]
    assert [r.value for r in found if r.partition == 0] == [b"value-%d" % i for i in range(6)]
    await log.append([new(1, 9), new(3, 9)])
    assert await reader.poll(10, 20) == []
    await log.append([new(2, 10)])
    assert [r.value for r in await drain(reader, 1)] == [b"value-10"]


async def test_readers_do_not_disturb_each_other(bench: LogUnderTest) -> None:
    log, other = bench.open(), bench.open()
    readers = [log.reader(everything(log)), other.reader(everything(other)), log.reader({1: -1})]
    await log.append([new(p, 1) for p in range(PARTITIONS)])
    assert len(await drain(readers[0], PARTITIONS)) == PARTITIONS
    assert len(await drain(readers[1], PARTITIONS, max_records=2)) == PARTITIONS
    assert len(await drain(readers[2], 1)) == 1


async def test_reading_while_others_append_misses_nothing(bench: LogUnderTest) -> None:
    writers = [bench.open(), bench.open()]
    reader = bench.open().reader({0: -1, 1: -1, 2: -1})

    async def write(log: ScoreLog, w: int) -> None:
        for i in range(40):
            await log.append([new(i % PARTITIONS, 1000 * w + i), new((i + 1) % PARTITIONS, 1000 * w + 100 + i)])

    wanted = 2 * sum((i % PARTITIONS < 3) + ((i + 1) % PARTITIONS < 3) for i in range(40))
    tasks = [asyncio.create_task(write(log, w)) for w, log in enumerate(writers)]
    found = await drain(reader, wanted, max_records=7)
    await asyncio.gather(*tasks)
    assert await reader.poll(10, 0) == []
    assert len({(r.partition, r.offset) for r in found}) == len(found) == wanted
    for w in range(2):
        for partition in range(3):  # each writer's own order is kept within a partition
            own = [r.value for r in found if r.partition == partition and int(r.value[6:]) // 1000 == w]
            assert len(own) == len(set(own))
            firsts = [int(v[6:]) % 1000 for v in own if int(v[6:]) % 1000 < 100]
            assert firsts == sorted(firsts)


async def test_a_closed_reader_raises(log: ScoreLog) -> None:
    reader = log.reader({0: -1})
    await reader.close()
    await reader.close()
    with pytest.raises(LogUnavailableError):
        await reader.poll(1, 0)


async def test_read_pages_through_one_partition(log: ScoreLog) -> None:
    for i in range(7):
        await log.append([new(p, i) for p in range(PARTITIONS)])
    await log.append([new(0, 99)])
    after, pages = -1, []
    while True:
        part = await log.read(3, after, 3)
        assert (part.partition, part.after) == (3, after)
        if not part.records:
            assert part.upto == after
            break
        pages.append([r.value for r in part.records])
        after = part.upto
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [value for page in pages for value in page] == [b"value-%d" % i for i in range(7)]


async def test_bounds_tell_the_first_and_last_offset(log: ScoreLog) -> None:
    offsets = await log.append([new(1, 1), new(1, 2)])
    bounds = await log.bounds()
    assert sorted(bounds) == list(range(PARTITIONS))
    assert bounds[1] == LogBounds(offsets[0], offsets[1])
    assert bounds[0].last == bounds[0].start - 1


async def test_a_commit_only_grows(log: ScoreLog) -> None:
    offsets = await log.append([new(0, i) for i in range(5)] + [new(1, 1)])
    assert await log.committed() == everything(log)
    await log.commit({0: offsets[3]})
    await log.commit({0: offsets[1], 1: offsets[5]})
    await log.commit({})
    assert await log.committed() == {**everything(log), 0: offsets[3], 1: offsets[5]}


async def test_nothing_uncommitted_or_young_is_pruned(bench: LogUnderTest) -> None:
    log = bench.open()
    for i in range(6):
        await log.append([new(0, i)])
        await bench.pass_ticks(1)
    assert await log.prune(0) == 0
    await log.commit({0: (await log.bounds())[0].start + 3})
    assert await log.prune(30 * bench.tick_ms) == 0
    times = [record.time_ms for record in (await log.read(0, -1, 10)).records]
    pruned = await log.prune(bench.now_ms() - times[2])  # the first three are old enough
    bounds = (await log.bounds())[0]
    assert pruned == bounds.start <= 3
    assert [r.value for r in (await log.read(0, bounds.start - 1, 10)).records] == [
        b"value-%d" % i for i in range(pruned, 6)
    ]


async def test_pruning_gives_back_and_a_position_below_the_start_is_told(bench: LogUnderTest) -> None:
    log = bench.open()
    early = log.reader({0: -1, 1: -1})
    for i in range(8):
        await log.append([new(0, i), new(1, i)])
    await log.commit({0: 5, 1: 5})
    await bench.pass_ticks(3)
    pruned = await log.prune(bench.tick_ms)
    bounds = await log.bounds()
    assert pruned == bounds[0].start + bounds[1].start > 0
    assert bounds[0] == LogBounds(6, 7)
    with pytest.raises(LogTruncatedError):
        await log.read(0, 4, 10)
    with pytest.raises(LogTruncatedError):
        await early.poll(10, 0)
    with pytest.raises(LogTruncatedError):
        await log.reader({0: 7, 1: 0}).poll(10, 0)
    assert [r.offset for r in (await log.read(0, 5, 10)).records] == [6, 7]
    assert [r.offset for r in await drain(log.reader({0: 5}), 2)] == [6, 7]
    assert await log.append([new(0, 9)]) == [8]


async def test_a_reader_overtaken_by_pruning_is_told(bench: LogUnderTest) -> None:
    log = bench.open()
    for i in range(8):
        await log.append([new(0, i), new(1, i)])
    reader = log.reader({0: -1, 1: -1})
    await drain(reader, 4, max_records=4)
    await log.commit({0: 6, 1: 6})
    await bench.pass_ticks(0.1)
    await log.prune(0)
    if (
        bench.reads_ahead
    ):  # what is missing in the log is at hand in the reader: nothing is lost, so nothing is to be told
        assert len(await drain(reader, 12)) == 12
        return
    with pytest.raises(LogTruncatedError):
        await drain(reader, 12)


async def test_a_reader_that_has_read_it_all_is_not_disturbed_by_pruning(bench: LogUnderTest) -> None:
    log = bench.open()
    for i in range(8):
        await log.append([new(0, i)])
    reader = log.reader(everything(log))
    await drain(reader, 8)
    await log.commit({0: 7})
    await bench.pass_ticks(0.1)
    assert await log.prune(0) > 0
    await log.append([new(0, 8), new(1, 8)])
    assert sorted((r.partition, r.offset) for r in await drain(reader, 2)) == [(0, 8), (1, 0)]


async def test_dead_letters_are_kept_newest_first_within_a_bound(bench: LogUnderTest) -> None:
    log = bench.open(max_dead_letters=5)
    record = LogRecord(1, 7, 123, b"42", b"\xff\x00", "sig", "reply")
    letters = [DeadLetter(record._replace(offset=i), "malformed", f"letter {i}") for i in range(8)]
    await log.dead_letter(letters[:4])
    assert await log.dead_letters(2) == [letters[3], letters[2]]
    await log.dead_letter(letters[4:])
    await log.dead_letter([])
    assert await log.dead_letters() == letters[:2:-1]


async def test_the_identity_stays(bench: LogUnderTest) -> None:
    log, other = bench.open(), bench.open()
    assert log.partitions == PARTITIONS
    assert await log.bounds() == await other.bounds()  # a log on a server knows its identity once it was used
    assert log.identity
    assert other.identity == log.identity


async def test_close_finishes_what_was_accepted_and_then_refuses(bench: LogUnderTest) -> None:
    log, later = bench.open(), bench.open()
    pending = [log.append([new(0, i)]) for i in range(20)]
    await asyncio.sleep(0)
    await log.close()
    await log.close()
    assert sorted([offset for offsets in await asyncio.gather(*pending) for offset in offsets]) == list(range(20))
    with pytest.raises(LogUnavailableError):
        await log.append([new(0, 99)])
    if later is not log:
        assert len((await later.read(0, -1, 100)).records) == 20


async def test_what_is_stamped_later_than_a_time_is_told_by_partition(bench: LogUnderTest, log: ScoreLog) -> None:
    now_ms = bench.now_ms()
    assert await log.stamped_after(now_ms - 60_000) == {}
    await log.append([NewRecord(1, b"1", b"x")])
    await bench.pass_ticks(2)
    await log.append([NewRecord(1, b"1", b"x"), NewRecord(1, b"1", b"y")])
    found = await log.stamped_after(now_ms - 60_000)
    newest_ms = (await log.read(1, 0, 10)).records[-1].time_ms
    assert found[1] == newest_ms
    assert await log.stamped_after(newest_ms) == {}
    assert (await log.stamped_after(newest_ms - 1))[1] == newest_ms


async def test_creates_are_refused_while_the_logs_clock_is_ahead(bench: LogUnderTest, log: ScoreLog) -> None:
    """Whichever of the two clocks is wrong: a machine's whose own is behind sees the log's ahead."""
    await log.append([NewRecord(1, b"1", b"x")])
    for behind_ms, is_refused in ((90_000, True), (30_000, False), (0, False)):
        log_clock = LogClock(log, lambda behind_ms=behind_ms: bench.now_ms() - behind_ms, 60_000)  # type: ignore[misc]
        await log_clock.check()
        refused = await log_clock.refusal(1)
        assert (refused is not None) is is_refused, behind_ms
        if refused is not None:
            assert (refused.status, refused.code) == (503, "clock_ahead")
            assert 20 <= int(refused.headers["retry-after"]) <= 30
        assert behind_ms - 10_000 < log_clock.ahead_ms <= behind_ms


async def test_a_log_that_takes_records_says_so_and_takes_none_by_it(log: ScoreLog) -> None:
    await log.append([NewRecord(0, b"1", b"x")])
    await log.commit({0: 0})
    await log.check_writable()
    assert (await log.bounds())[0].last == 0
    assert (await log.committed())[0] == 0
    await log.close()
    with pytest.raises(LogUnavailableError):
        await log.check_writable()
