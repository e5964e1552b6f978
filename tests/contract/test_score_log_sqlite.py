"""What the SQLite log keeps beyond the port: several processes, kill -9, a full disk, files of another version or making."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.ports import (
    DeadLetter,
    LogDiskFullError,
    LogError,
    LogOverloadedError,
    LogRecord,
    LogUnavailableError,
    NewRecord,
    StorageVersionError,
)
from storage.score_log.sqlite.log import SqliteScoreLog
from tests.contract.conftest import PARTITIONS, ManualClock

ROOT = Path(__file__).parents[2]


def start_writer(path: Path, name: str, calls: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.support.log_process", str(path), str(PARTITIONS), name, str(calls)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def acknowledged(lines: str) -> dict[tuple[int, int], str]:
    """What a writer printed, whole lines only: (partition, offset) -> value."""
    found: dict[tuple[int, int], str] = {}
    for line in lines.splitlines(keepends=True):
        if not line.endswith("\n"):
            continue
        for part in line.strip().split(","):
            partition, offset, value = part.split(" ")
            assert (int(partition), int(offset)) not in found
            found[int(partition), int(offset)] = value
    return found


async def contents(path: Path) -> dict[tuple[int, int], str]:
    """All records by reading each partition, checked against one reader over all and for holes."""
    log = SqliteScoreLog(path, PARTITIONS)
    found: dict[tuple[int, int], str] = {}
    for partition in range(PARTITIONS):
        after = -1
        while (part := await log.read(partition, after, 500)).records:
            assert [r.offset for r in part.records] == list(range(after + 1, part.upto + 1))
            found |= {(partition, r.offset): r.value.decode() for r in part.records}
            after = part.upto
    reader = log.reader(dict.fromkeys(range(PARTITIONS), -1))
    polled: dict[tuple[int, int], str] = {}
    while ranges := await reader.poll(333, 0):
        polled |= {(r.partition, r.offset): r.value.decode() for part in ranges for r in part.records}
    assert polled == found
    await log.close()
    return found


async def test_two_processes_append_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    writers = [start_writer(path, name, 300) for name in ("a", "b")]
    outputs = [writer.communicate(timeout=120) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], outputs
    first, second = (acknowledged(out) for out, _ in outputs)
    assert len(first) == len(second) == 600
    assert not first.keys() & second.keys()
    assert await contents(path) == first | second


async def test_what_was_acknowledged_survives_kill_9_in_mid_load(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    for name in ("a", "b", "c"):
        writer = start_writer(path, name, 10**9)
        assert writer.stdout is not None
        lines = "".join(writer.stdout.readline() for _ in range(100))
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read()  # not `communicate`: it passes over what `readline` has buffered
        writer.communicate(timeout=60)
        sure = acknowledged(lines + rest)
        there = await contents(path)
        assert len(sure) >= 100
        assert sure.items() <= there.items()
        # A call is there whole or not at all: call n of a writer has 1 + n % 3 records.
        calls: dict[str, int] = {}
        for value in there.values():
            writer_name, n, _ = value.split("-")
            calls[f"{writer_name}-{n}"] = calls.get(f"{writer_name}-{n}", 0) + 1
        assert all(count == 1 + int(call.split("-")[1]) % 3 for call, count in calls.items())


async def fill(log: SqliteScoreLog, records: list[NewRecord]) -> int:
    """Append the same call until the disk is full; how often it was taken."""
    taken = 0
    while taken < 10_000:
        try:
            await log.append(records)
        except LogDiskFullError:
            return taken
        taken += 1
    raise AssertionError("the disk never became full")


async def test_a_full_file_appends_nothing_of_the_call_and_recovers(tmp_path: Path, clock: ManualClock) -> None:
    log = SqliteScoreLog(tmp_path / "log.db", PARTITIONS, clock_ms=clock)
    connect = log._file.connect

    def small(busy_ms: int) -> sqlite3.Connection:
        connection = connect(busy_ms)
        connection.execute("PRAGMA max_page_count = 64")  # of 4 KiB
        return connection

    log._file.connect = small  # type: ignore[method-assign]
    accepted = await fill(log, [NewRecord(0, b"1", bytes(20_000)), NewRecord(1, b"1", bytes(20_000))])
    assert accepted > 2
    assert (await log.bounds())[0].last == (await log.bounds())[1].last == accepted - 1
    with pytest.raises(LogDiskFullError):
        await log.append([NewRecord(0, b"1", bytes(200_000))])
    await log.commit({0: accepted - 1, 1: accepted - 1})
    assert await log.prune(0) > 0
    assert await log.append([NewRecord(0, b"1", bytes(20_000))]) == [accepted]
    await log.close()


async def test_a_full_disk_appends_nothing_of_the_call_and_recovers(small_disk: Path) -> None:
    log = SqliteScoreLog(small_disk / "log.db", PARTITIONS)
    reader = log.reader({0: -1})
    await log.append([NewRecord(0, b"1", b"first")])
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(3_000_000))
    accepted = 1 + await fill(log, [NewRecord(0, b"1", bytes(30_000))])
    with pytest.raises(LogDiskFullError):
        await log.append([NewRecord(0, b"1", bytes(30_000))])
    with pytest.raises(LogDiskFullError):
        await log.dead_letter([DeadLetter(LogRecord(0, 0, 0, b"1", bytes(30_000)), "malformed", "")])
    with pytest.raises(LogDiskFullError):
        await log.check_writable()
    assert (await log.bounds())[0].last == accepted - 1
    assert sum(len(part.records) for part in await reader.poll(1_000, 0)) == accepted
    ballast.unlink()
    await log.check_writable()
    assert await log.append([NewRecord(0, b"1", bytes(30_000))]) == [accepted]
    assert sum(len(part.records) for part in await reader.poll(1_000, 5_000)) == 1
    await log.close()
    again = SqliteScoreLog(small_disk / "log.db", PARTITIONS)
    assert (await again.bounds())[0].last == accepted
    await again.close()


async def test_a_log_cannot_be_made_on_a_full_disk(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(5 << 20))
    log = SqliteScoreLog(small_disk / "log.db", PARTITIONS)
    with pytest.raises(LogDiskFullError):
        await log.append([NewRecord(0, b"1", b"first")])
    ballast.unlink()
    assert await log.append([NewRecord(0, b"1", b"first")]) == [0]
    await log.close()


async def test_a_newer_version_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = SqliteScoreLog(path, PARTITIONS)
    await log.append([NewRecord(0, b"1", b"first")])
    await log.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    log = SqliteScoreLog(path, PARTITIONS)
    with pytest.raises(StorageVersionError, match="99"):
        await log.append([NewRecord(0, b"1", b"second")])
    with pytest.raises(StorageVersionError):
        _ = log.identity
    with pytest.raises(StorageVersionError):
        await log.reader({0: -1}).poll(1, 0)
    await log.close()
    assert path.read_bytes() == before


async def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database " * 100)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    for name, message in (("text.db", "cannot be read"), ("other.db", "not a score log")):
        log = SqliteScoreLog(tmp_path / name, PARTITIONS)
        with pytest.raises(LogError, match=message):
            await log.append([NewRecord(0, b"1", b"first")])
        with pytest.raises(LogError, match=message):
            await log.bounds()
        await log.close()
    with sqlite3.connect(tmp_path / "other.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]
    connection.close()


async def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    log = SqliteScoreLog(tmp_path / "log.db", PARTITIONS)
    assert log.identity
    await log.close()
    other = SqliteScoreLog(tmp_path / "log.db", PARTITIONS + 1)
    with pytest.raises(LogError, match=f"{PARTITIONS} partitions, expected {PARTITIONS + 1}"):
        _ = other.identity
    await other.close()


async def test_a_full_queue_refuses_and_what_is_withdrawn_is_never_appended(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = SqliteScoreLog(path, PARTITIONS, max_queued=10, window_ms=0.2)
    await log.append([NewRecord(0, b"1", b"zero")])
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    first = log.append([NewRecord(0, b"1", b"first")])
    await asyncio.sleep(0)
    while log.queued:  # the writer has taken it, and waits for the lock
        await asyncio.sleep(0.001)
    second = log.append([NewRecord(0, b"1", b"second")] * 6, timeout_s=0.05)
    third = log.append([NewRecord(0, b"1", b"third")] * 4)
    await asyncio.sleep(0)
    with pytest.raises(LogOverloadedError):
        await log.append([NewRecord(0, b"1", b"fourth")])
    with pytest.raises(LogUnavailableError, match="nothing was appended"):
        await second
    third.cancel()
    await asyncio.wait([third])
    blocker.execute("ROLLBACK")
    assert await first == [1]
    assert await log.append([NewRecord(0, b"1", b"fifth")]) == [2]
    assert [r.value for r in (await log.read(0, -1, 10)).records] == [b"zero", b"first", b"fifth"]
    blocker.close()
    await log.close()


async def test_a_lock_held_too_long_makes_the_log_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = SqliteScoreLog(path, PARTITIONS, lock_wait_ms=20)
    await log.append([NewRecord(0, b"1", b"zero")])
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailableError, match="locked"):
        await log.append([NewRecord(0, b"1", b"first")])
    with pytest.raises(LogUnavailableError, match="locked"):
        await log.commit({0: 0})
    blocker.execute("ROLLBACK")
    blocker.close()
    assert await log.append([NewRecord(0, b"1", b"second")]) == [1]
    await log.close()


async def test_a_commit_beyond_the_end_is_refused_whole(tmp_path: Path) -> None:
    log = SqliteScoreLog(tmp_path / "log.db", PARTITIONS)
    await log.append([NewRecord(0, b"1", b"zero")])
    with pytest.raises(LogError, match="ends at -1"):
        await log.commit({0: 0, 1: 0})
    assert set((await log.committed()).values()) == {-1}
    await log.close()


async def test_a_partition_that_stands_still_holds_pruning_and_loses_nothing(
    tmp_path: Path, clock: ManualClock
) -> None:
    log = SqliteScoreLog(tmp_path / "log.db", PARTITIONS, clock_ms=clock)
    for i in range(5):
        await log.append([NewRecord(0, b"1", b"%d" % i)])
        if i == 1:
            await log.append([NewRecord(1, b"1", b"stuck")])
    await log.commit({0: 4})
    assert await log.prune(0) == 2
    assert (await log.read(1, -1, 10)).records[0].value == b"stuck"
    await log.commit({1: 0})
    assert await log.prune(0) == 3  # all but the newest transaction
    assert {p: tuple(b) for p, b in (await log.bounds()).items() if p < 2} == {0: (4, 4), 1: (1, 0)}
    await log.close()


def test_many_may_make_the_log_at_once(tmp_path: Path) -> None:
    for i in range(10):
        logs = [SqliteScoreLog(tmp_path / f"log-{i}.db", PARTITIONS) for _ in range(8)]
        with ThreadPoolExecutor(len(logs)) as threads:
            identities = set(threads.map(lambda log: log.identity, logs))
        assert len(identities) == 1
        for log in logs:
            asyncio.run(log.close())
