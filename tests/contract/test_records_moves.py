"""Moving slots: a shard that is added, a move that is cut off, a writer that was not stopped, and the command that does it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from storage.records_slots import SLOTS, even, slot_of

from scripts.cli.palio import main
from scripts.cli.shards import ranges, slots_of
from storage.ports import Checkpoint, ListQuery, RecordsUnavailableError, StoredSnapshot
from storage.records.mysql import moves as records_moves
from storage.records.mysql.engine import MysqlOptions
from storage.records.mysql.moves import move_slots
from storage.records.mysql.sharded import ShardedRecords
from tests.contract.test_records import checkpoint, everything, listed, tournament, whole
from tests.support.servers_mysql import SHARD_TABLES, TABLES, RunningMysql

DATABASE = "palio_moves"
NUMBERS = range(1, 21)
MOVED = sum(slot_of(number) in {*range(10), 500} for number in NUMBERS)


@pytest.fixture
def two(mysql_servers: RunningMysql) -> Iterator[MysqlOptions]:
    """Two databases of which nobody knows yet that they are shards."""
    for shard in (0, 1):
        mysql_servers.sql(f"mysql-{shard}-primary", f"CREATE DATABASE IF NOT EXISTS {DATABASE};")
    options = mysql_servers.options(database=DATABASE)
    mysql_servers.empty(options, (*TABLES, *SHARD_TABLES))
    yield options
    mysql_servers.up()


async def filled(options: MysqlOptions) -> list[list[object]]:
    """Tournaments with everything; returns what is read of each."""
    records = await ShardedRecords.open(options)
    for offset in (10, 11):
        parts = [whole(number, offset) for number in NUMBERS]
        await records.save(Checkpoint(*([row for part in parts for row in part[i]] for i in range(5))))
    big = StoredSnapshot(1, 1, 12, bytes(9 << 20))
    await records.save(checkpoint(tournament(1, 12), snapshots=[big], projected=[("tournament-1", 1, 12)]))
    found = await read(records)
    await records.close()
    return found


async def read(records: ShardedRecords) -> list[list[object]]:
    found = [await everything(records, number) for number in NUMBERS]
    return [*found, [await records.projected(["tournament-1"]), await listed(records, ListQuery(limit=7))]]


async def count(servers: RunningMysql, shard: int, table: str = "tournaments") -> int:
    sql = f"SELECT COUNT(*) FROM {DATABASE}.{table};"
    return int(await asyncio.to_thread(servers.sql, f"mysql-{shard}-primary", sql))


async def test_a_shard_is_added(mysql_servers: RunningMysql, two: MysqlOptions) -> None:
    before = await filled(dataclasses.replace(two, shards=two.shards[:1]))
    added = await ShardedRecords.open(two)
    assert set(added.slots.shards) == {0}
    await added.close()
    moving = [number for number in NUMBERS if slot_of(number) >= 512]
    assert await move_slots(two, range(512, SLOTS), 1) == len(moving)
    records = await ShardedRecords.open(two)
    assert records.slots.shards == even(2)
    assert await read(records) == before
    await records.save(whole(moving[0], 99))
    await records.close()
    assert await count(mysql_servers, 1) == len(moving)
    assert await count(mysql_servers, 0) == len(NUMBERS) - len(moving)
    assert await move_slots(two, range(SLOTS), 0) == len(moving)  # and back
    for table in ("tournaments", "tournament_participants", "snapshots", "outbox"):
        assert await count(mysql_servers, 1, table) == 0
    assert await move_slots(two, range(SLOTS), 0) == 0


@pytest.mark.parametrize("step", ["copy", "delete"])
async def test_a_move_that_was_cut_off_is_finished(
    mysql_servers: RunningMysql, two: MysqlOptions, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = await filled(two)
    real = getattr(records_moves, f"_{step}")
    calls = 0

    async def cut_off(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OperationalError("", {}, Exception("cut off"))
        await real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(records_moves, f"_{step}", cut_off)
        patched.setattr(records_moves, "TOURNAMENTS_A_TRANSACTION", 5)
        with pytest.raises(RecordsUnavailableError, match="start it again"):
            await move_slots(two, range(512), 1)
    await move_slots(two, range(512), 1)
    records = await ShardedRecords.open(two)
    assert set(records.slots.shards) == {1}
    assert await read(records) == before
    await records.close()
    assert await count(mysql_servers, 0) == 0


async def test_a_writer_that_was_not_stopped_is_refused(two: MysqlOptions) -> None:
    stale = await ShardedRecords.open(two)
    moved = next(number for number in NUMBERS if slot_of(number) < 512)
    await stale.save(whole(moved, 10))
    await move_slots(two, [slot_of(moved)], 1)
    with pytest.raises(RecordsUnavailableError, match="slots have moved"):
        await stale.save(whole(moved, 11))
    await stale.close()
    records = await ShardedRecords.open(two)
    assert await records.tournament(moved) == whole(moved, 10).tournaments[0]
    await records.save(whole(moved, 11))
    await records.close()


async def test_what_cannot_be_moved_is_told(two: MysqlOptions) -> None:
    with pytest.raises(ValueError, match="expected slots from 0 to 1023"):
        await move_slots(two, [1, 1_024], 1)
    with pytest.raises(ValueError, match="expected a shard from 0 to 1, got 2"):
        await move_slots(two, [1], 2)


def test_the_command(
    mysql_servers: RunningMysql, two: MysqlOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "servers.json"
    file.write_text(json.dumps({"mysql": {**mysql_servers.connect_values, "database": DATABASE}}))
    assert main(["shards", "--servers", str(file)]) == 1
    assert "nobody can say where slots lie" in capsys.readouterr().out
    asyncio.run(filled(two))
    assert main(["shards", "--servers", str(file)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[:5] for line in shown[1:]] == [
        ["0", "512", "0-511", str(two.shards[0].primary), "primary"],
        ["0", "-", "-", str(two.shards[0].replicas[0]), "replica"],
        ["1", "512", "512-1023", str(two.shards[1].primary), "primary"],
        ["1", "-", "-", str(two.shards[1].replicas[0]), "replica"],
    ]
    assert main(["shards", "--servers", str(file), "--move", "0-9,500", "--to", "1"]) == 0
    assert capsys.readouterr().out == f"11 slots lie on shard 1; {MOVED} tournaments were moved\n"
    mysql_servers.kill("mysql-1-primary")
    assert main(["shards", "--servers", str(file)]) == 1
    shown_now = capsys.readouterr().out
    assert "0-9,500,512-1023" in shown_now
    assert "does not answer" in shown_now
    assert main(["shards", "--servers", str(file), "--move", "1", "--to", "0"]) == 1
    mysql_servers.start("mysql-1-primary")
    for arguments in (["--move", "0-9"], ["--move", "0-9", "--to", "7"], ["--move", "9-1024", "--to", "1"]):
        assert main(["shards", "--servers", str(file), *arguments]) == 1
    file.write_text(json.dumps({**mysql_servers.connect_values, "password": "wr0ng-secret"}))
    assert main(["shards", "--servers", str(file)]) == 1
    told = "".join(capsys.readouterr())
    assert "Access denied" in told
    assert "wr0ng-secret" not in told


def test_slots_are_read_as_they_are_shown() -> None:
    for slots in ([0], [0, 1, 2], [0, 2, 3, 1_023], list(range(SLOTS))):
        assert sorted(slots_of(ranges(slots))) == slots
    for wrong in ("", "-", "a", "1-", "1,,2", "1024", "0-1024", "-1", "5 "):
        with pytest.raises(ValueError, match="expected slots"):
            slots_of(wrong)
