"""Partitions move between shards: while they are saved to and read, cut off and started again, and what an earlier version had by slots."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import OperationalError

from actors.domain.prizes.ledger import moved
from scripts.cli.palio import main
from scripts.cli.shards import partitions_of, ranges
from storage.ports import Checkpoint, ListQuery, RecordsUnavailableError, StoredSnapshot, TournamentRow
from storage.records.mysql import moves
from storage.records.mysql.engine import MysqlOptions
from storage.records.mysql.moves import move_partition
from storage.records.mysql.sharded import ShardedRecords
from storage.records.sql.migrate import REVISIONS
from storage.records.sql.partitions import Place, even
from storage.records.sql.prize_ledger import SqlPrizeLedger
from storage.records.sql.schema import SCHEMA_VERSION
from tests.contract.test_prize_ledger import entry as prize
from tests.contract.test_records import checkpoint, everything, listed, of_partition, partition, tournament, whole
from tests.support.servers_mysql import PARTITIONS, SHARD_TABLES, TABLES, RunningMysql, connect

DATABASE = "palio_moves"
NUMBERS = range(1, 21)
QUIET: list[str] = []


@pytest.fixture
def two(mysql_servers: RunningMysql) -> Iterator[MysqlOptions]:
    """Two databases of which nobody knows yet that they are shards."""
    for shard in (0, 1):
        mysql_servers.sql(f"mysql-{shard}-primary", f"CREATE DATABASE IF NOT EXISTS {DATABASE};")
    options = mysql_servers.options(database=DATABASE, probe_interval_ms=200)
    mysql_servers.empty(options, (*TABLES, *SHARD_TABLES))
    yield options
    mysql_servers.up()


@pytest.fixture
async def records(two: MysqlOptions) -> AsyncIterator[ShardedRecords]:
    """Of both, with partitions 0-2 on shard 0 and 3-4 on shard 1; one that never learns of a move before it must."""
    opened = await ShardedRecords.open(two, PARTITIONS)
    yield opened
    await opened.close()


async def move(options: MysqlOptions, partitions: Sequence[int], target: int) -> int:
    """Move, as another process would; how many lay elsewhere."""
    records = await ShardedRecords.open(options, PARTITIONS)
    try:
        engines = [shard.primary.engine for shard in records.shards]
        return sum([await move_partition(engines, p, target, QUIET.append) for p in partitions])
    finally:
        await records.close()


async def fill(records: ShardedRecords) -> list[list[object]]:
    """Tournaments with everything; returns what is read of each."""
    for offset in (10, 11):
        for number in NUMBERS:
            await records.save(whole(number, offset))
    big = StoredSnapshot(1, partition(1), 12, bytes(9 << 20))
    scope = ("tournament-1", partition(1), 12)
    await records.save(checkpoint(tournament(1, 12), snapshots=[big], projected=[scope]))
    return await read(records)


async def read(records: ShardedRecords) -> list[list[object]]:
    found = [await everything(records, number) for number in NUMBERS]
    return [
        *found,
        [await records.projected(partition(1), ["tournament-1"]), await listed(records, ListQuery(limit=7))],
    ]


async def count(servers: RunningMysql, shard: int, table: str = "tournaments") -> int:
    sql = f"SELECT COUNT(*) FROM {DATABASE}.{table};"
    return int(await asyncio.to_thread(servers.sql, f"mysql-{shard}-primary", sql))


async def test_a_shard_is_added_and_emptied(
    mysql_servers: RunningMysql, two: MysqlOptions, records: ShardedRecords
) -> None:
    """A process that was there before finds everything, and writes where it lies now."""
    before = await fill(records)
    assert await move(two, range(PARTITIONS), 1) == 3
    assert await read(records) == before
    for table in TABLES:
        assert await count(mysql_servers, 0, table) == 0
    await records.save(whole(5, 99))
    assert await count(mysql_servers, 0) == 0
    assert await records.tournament(5) == whole(5, 99).tournaments[0]
    assert await move(two, range(PARTITIONS), 0) == 5
    assert await records.tournament(5) == whole(5, 99).tournaments[0]
    for table in TABLES:
        assert await count(mysql_servers, 1, table) == 0
    assert await move(two, range(PARTITIONS), 0) == 0


class Writer:
    """An owner of some partitions, which knows what was acknowledged to it."""

    def __init__(self, records: ShardedRecords, partitions: Sequence[int]) -> None:
        self.numbers = {p: of_partition(p, 4) for p in partitions}
        self.acknowledged: dict[int, int] = {}
        self.refused = 0
        self.offset = 100
        self._records = records

    async def run(self, until: asyncio.Event) -> None:
        while not until.is_set():
            self.offset += 1
            for at, numbers in self.numbers.items():
                parts = [whole(number, self.offset) for number in numbers]
                rows = [[row for part in parts for row in part[i]] for i in range(4)]
                try:
                    await self._records.save(Checkpoint._make([*rows, [(f"partition-{at}", at, self.offset)]]))
                except RecordsUnavailableError:
                    self.refused += 1
                    await asyncio.sleep(0.01)
                else:
                    self.acknowledged[at] = self.offset


async def test_partitions_move_under_load_and_nothing_is_lost(
    mysql_servers: RunningMysql, two: MysqlOptions, records: ShardedRecords
) -> None:
    """Several owners save, readers of other processes see every save that has returned, and partitions go there and back meanwhile."""
    await fill(records)
    over = asyncio.Event()
    stores = [await ShardedRecords.open(two, PARTITIONS) for _ in range(3)]
    writers = [Writer(store, mine) for store, mine in zip(stores, ([0, 3], [1, 4], [2]), strict=True)]
    moved = 0

    async def look() -> None:
        turn = 0
        while not over.is_set():
            writer = writers[turn % 3]
            at, numbers = list(writer.numbers.items())[turn // 3 % len(writer.numbers)]
            least, number, turn = writer.acknowledged.get(at, 0), numbers[turn % 4], turn + 1
            try:
                row = await records.tournament(number)
                kept = await records.snapshots(number)
                scope = (await records.projected(at, [f"partition-{at}"]))[f"partition-{at}"]
            except RecordsUnavailableError:
                continue  # between one shard and the other
            assert row is not None, number
            assert row.offset >= least
            assert kept[0].offset >= least
            assert least <= scope <= writer.offset
            await asyncio.sleep(0.005)

    async def moving() -> None:
        nonlocal moved
        try:
            for target in (1, 0, 1, 0):
                moved += await move(two, range(PARTITIONS), target)
        finally:
            over.set()

    await asyncio.gather(moving(), look(), *(writer.run(over) for writer in writers))
    assert moved == 3 + 5 + 5 + 5
    stores.append(await ShardedRecords.open(two, PARTITIONS))
    assert {place.shard for place in stores[-1].places.values()} == {0}
    for writer in writers:
        assert writer.acknowledged.keys() == writer.numbers.keys()
        for at, numbers in writer.numbers.items():
            for number in numbers:
                row = await records.tournament(number)
                assert isinstance(row, TournamentRow)
                assert row.offset >= writer.acknowledged[at]
                assert (await records.snapshots(number))[0].offset == row.offset
    for table in TABLES:
        assert await count(mysql_servers, 1, table) == 0
    for store in stores:
        await store.close()


async def test_while_a_partition_is_copied_the_last_time_it_is_read_and_not_saved(
    two: MysqlOptions, records: ShardedRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save that was refused is made later, by the same call; effects that are released meanwhile do not come back."""
    await fill(records)
    number = of_partition(0)[0]
    real, seen = moves._copy_partition, 0

    async def copy(*arguments: object, closed: bool = False) -> None:
        nonlocal seen
        if closed:
            with pytest.raises(RecordsUnavailableError, match="is being moved to shard 1"):
                await records.save(whole(number, 12))
            assert await records.tournament(number) == whole(number, 11).tournaments[0]
            assert number in await listed(records, ListQuery())
            await records.save(whole(of_partition(1)[0], 12))
            seen += 1
        await real(*arguments, closed=closed)  # type: ignore[arg-type]

    monkeypatch.setattr(moves, "_copy_partition", copy)
    assert await move(two, [0], 1) == 1
    assert seen == 1
    await records.save(whole(number, 12))
    assert await records.tournament(number) == whole(number, 12).tournaments[0]


async def test_effects_that_were_released_do_not_come_back(
    mysql_servers: RunningMysql, two: MysqlOptions, records: ShardedRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(records)
    number = of_partition(0)[0]
    real = moves._copy_partition

    async def copy(*arguments: object, closed: bool = False) -> None:
        await real(*arguments, closed=closed)  # type: ignore[arg-type]
        if not closed:
            sql = f"DELETE FROM {DATABASE}.outbox WHERE tournament_id = {number};"
            await asyncio.to_thread(mysql_servers.sql, "mysql-0-primary", sql)

    monkeypatch.setattr(moves, "_copy_partition", copy)
    await move(two, [0], 1)
    assert number not in {effect.tournament_id for effect in await records.outbox(1000)}


async def test_prizes_move_as_they_are(
    two: MysqlOptions, records: ShardedRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what changes of them, without their tournament's row, after they were copied; while closed they do not change."""
    await fill(records)
    number = of_partition(0)[0]
    ledger = SqlPrizeLedger(records)
    first, second = prize(number, 1), prize(number, 2)
    await ledger.write(number, [first, second])
    real = moves._copy_partition

    async def copy(*arguments: object, closed: bool = False) -> None:
        if closed:
            with pytest.raises(RecordsUnavailableError, match="is being moved to shard 1"):
                await ledger.write(number, [prize(number, 3)])
        await real(*arguments, closed=closed)  # type: ignore[arg-type]
        if not closed:
            await ledger.write(number, [moved(first, "approve", 5)])

    monkeypatch.setattr(moves, "_copy_partition", copy)
    await move(two, [0], 1)
    assert await ledger.entries(number) == [moved(first, "approve", 5), second]
    await ledger.write(number, [moved(second, "approve", 5)])
    assert len(await ledger.payable(2**62, 10, 10)) == 2
    assert (await ledger.counts())["approved"] == 2


STEPS = ["_copy_partition", "_change", "_put", "_delete_partition"]


@pytest.mark.parametrize("step", [f"{name} {call}" for name in STEPS for call in range(1, 4)])
async def test_a_move_that_was_cut_off_is_finished(
    mysql_servers: RunningMysql, two: MysqlOptions, records: ShardedRecords, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever it was, before or after a step; a partition is then on one shard, or on neither, and never on both."""
    before = await fill(records)
    name, number = step.split()
    real, calls = getattr(moves, name), 0

    async def cut_off(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == int(number):
            raise OperationalError("", {}, Exception("cut off"))
        return await real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(moves, name, cut_off)
        with pytest.raises(RecordsUnavailableError, match="start it again"):
            await move(two, [0, 1, 2], 1)
    await move(two, [0, 1, 2], 1)
    assert await read(records) == before
    assert await count(mysql_servers, 0) == 0
    await records.save(whole(of_partition(0)[0], 12))


def cut_off_closed(patched: pytest.MonkeyPatch) -> None:
    """A move fails when it copies for the last time."""
    real = moves._copy_partition

    async def copy(*arguments: object, closed: bool = False) -> None:
        if closed:
            raise OperationalError("", {}, Exception("cut off"))
        await real(*arguments, closed=closed)  # type: ignore[arg-type]

    patched.setattr(moves, "_copy_partition", copy)


async def test_a_move_that_fails_leaves_the_partition_open_to_saves(
    two: MysqlOptions, records: ShardedRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await fill(records)
    with monkeypatch.context() as patched:
        cut_off_closed(patched)
        with pytest.raises(RecordsUnavailableError, match="start it again"):
            await move(two, [0], 1)
    assert await read(records) == before
    number = of_partition(0)[0]
    await records.save(whole(number, 12))
    assert await move(two, [0], 1) == 1
    assert await records.tournament(number) == whole(number, 12).tournaments[0]


async def test_a_move_that_was_killed_may_be_taken_back(
    two: MysqlOptions, records: ShardedRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await fill(records)
    real, changes = moves._change, 0

    async def change(*arguments: object) -> Place:
        nonlocal changes
        changes += 1
        if changes > 1:
            raise OperationalError("", {}, Exception("killed"))
        return await real(*arguments)  # type: ignore[arg-type]

    number = of_partition(0)[0]
    with monkeypatch.context() as patched:
        cut_off_closed(patched)
        patched.setattr(moves, "_change", change)
        with pytest.raises(RecordsUnavailableError):
            await move(two, [0], 1)
    with pytest.raises(RecordsUnavailableError, match="is being moved"):
        await records.save(whole(number, 12))
    await move(two, [0], 0)
    assert await read(records) == before
    await records.save(whole(number, 12))


async def test_a_save_that_takes_long_does_not_end_a_move(two: MysqlOptions, records: ShardedRecords) -> None:
    """It holds the partition for longer than a lock is waited for."""
    before = await fill(records)
    opened = await ShardedRecords.open(dataclasses.replace(two, lock_wait_ms=1000), PARTITIONS)
    told: list[str] = []
    with connect(two, 0) as saving:
        saving.begin()
        saving.cursor().execute("SELECT * FROM shard_partitions WHERE log_partition = 0 LOCK IN SHARE MODE")

        def tell(text: str) -> None:
            told.append(text)
            saving.rollback()

        assert await move_partition([shard.primary.engine for shard in opened.shards], 0, 1, tell)
    await opened.close()
    assert told[0] == "partition 0: cut off by others' locks, trying again"
    assert await read(records) == before


async def test_what_is_copied_is_of_one_moment_whatever_the_servers_default(
    mysql_servers: RunningMysql, two: MysqlOptions
) -> None:
    primary = "mysql-0-primary"
    await asyncio.to_thread(mysql_servers.sql, primary, "SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED;")
    try:
        records = await ShardedRecords.open(two, PARTITIONS)
        await fill(records)
        number = of_partition(0)[0]
        async with records.shards[0].primary.engine.connect() as reading:
            before = await moves._positions(reading, [number])
            await records.save(whole(number, 50))
            assert await moves._positions(reading, [number]) == before
        await records.close()
    finally:
        await asyncio.to_thread(mysql_servers.sql, primary, "SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ;")


async def test_of_two_moves_at_once_one_is_told(
    two: MysqlOptions, records: ShardedRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(records)
    real, other = moves._copy_partition, False

    async def copy(*arguments: object, closed: bool = False) -> None:
        nonlocal other
        if closed and not other:
            other = True
            await move(two, [0], 1)
            await records.save(whole(of_partition(0)[0], 50))
        await real(*arguments, closed=closed)  # type: ignore[arg-type]

    monkeypatch.setattr(moves, "_copy_partition", copy)
    with pytest.raises(RecordsUnavailableError, match="by somebody else"):
        await move(two, [0], 1)
    number = of_partition(0)[0]
    assert await records.tournament(number) == whole(number, 50).tournaments[0]


async def test_whoever_missed_a_move_finds_the_partition_without_the_shard_that_it_left(
    mysql_servers: RunningMysql, two: MysqlOptions, records: ShardedRecords
) -> None:
    """As after a shard was emptied to be taken away."""
    await fill(records)
    await move(two, [0, 1, 2], 1)
    mysql_servers.kill("mysql-0-primary")
    number = of_partition(0)[0]
    await records.save(whole(number, 12))
    assert await records.tournament(number) == whole(number, 12).tournaments[0]


# -- what an earlier version left ---------------------------------------------------------------------------------------


async def test_what_lay_on_several_shards_by_slots_is_brought_together(
    mysql_servers: RunningMysql, two: MysqlOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when that is cut off at first, and where a move of slots had left older rows on another shard."""
    first = await ShardedRecords.open(two, PARTITIONS)
    before = await fill(first)
    await first.close()
    # as version 2 had it: odd tournaments on shard 1, even ones on shard 0, offsets of partitions on shard 0, and its tables
    for table in ("tournaments", "tournament_participants", "snapshots", "outbox"):
        await swap(two, table, "tournament_id % 2")
    await swap(two, "projected", "scope LIKE 'tournament-%'")
    await asyncio.to_thread(leave_older_rows, two)
    for shard in (0, 1):
        await asyncio.to_thread(back_to_schema_2, two, shard)
    real, calls = moves._delete_partition, 0

    async def cut_off(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OperationalError("", {}, Exception("cut off"))
        await real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(moves, "_delete_partition", cut_off)
        with pytest.raises(RecordsUnavailableError, match="start it again"):
            await ShardedRecords.open(two, PARTITIONS)
    told: list[str] = []
    again = await ShardedRecords.open(two, PARTITIONS, told.append)
    assert again.places == even(PARTITIONS, 2)
    assert any("bringing partitions together" in line for line in told)
    assert await read(again) == before
    await again.close()
    for shard in (0, 1):
        sql = f"SELECT version FROM {DATABASE}.schema_version;"
        assert int(await asyncio.to_thread(mysql_servers.sql, f"mysql-{shard}-primary", sql)) == SCHEMA_VERSION


def back_to_schema_2(options: MysqlOptions, shard: int) -> None:
    """The tables in which version 2 differs, made by its own revision; those of tournaments are the same."""
    where = options.shards[shard].primary
    engine = create_engine(
        URL.create("mysql+pymysql", options.user, options.password, where.host, where.port, options.database)
    )
    with engine.begin() as connection:
        ((installation,),) = connection.execute(text("SELECT installation FROM shard_identity"))
        connection.execute(text("DROP TABLE shard_partitions, shard_identity, prizes"))
        connection.execute(text("DROP INDEX idx_outbox_kind ON outbox"))
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(REVISIONS))
        command.stamp(config, "0001")
        command.upgrade(config, "0002")
        identity = (
            "INSERT INTO shard_identity (id, shard, installation, slots_version) VALUES (0, :shard, :installation, 1)"
        )
        connection.execute(text(identity), {"shard": shard, "installation": installation})
        slots = [{"slot": slot, "shard": slot % 2} for slot in range(1024)]
        connection.execute(text("INSERT INTO shard_slots (slot, shard, version) VALUES (:slot, :shard, 1)"), slots)
        connection.execute(text("UPDATE schema_version SET version = 2"))
    engine.dispose()


async def swap(options: MysqlOptions, table: str, on_second: str) -> None:
    """Put a table's rows that meet a condition on the second shard, and all others on the first."""

    def work() -> None:
        with connect(options, 0) as first, connect(options, 1) as second:
            sides = ((first, second, on_second), (second, first, f"NOT ({on_second})"))
            found = []
            for mine, _, leaving in sides:
                cursor = mine.cursor()
                cursor.execute(f"SELECT * FROM {table} WHERE {leaving}")
                found.append(cursor.fetchall())
                cursor.execute(f"DELETE FROM {table} WHERE {leaving}")
            for (_, other, _), rows in zip(sides, found, strict=True):
                for row in rows:
                    other.cursor().execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)

    await asyncio.to_thread(work)


def leave_older_rows(options: MysqlOptions) -> None:
    """As a move of slots leaves them: of 5 (on shard 1) where its partition will lie, of 14 (on shard 0) where it will not."""
    with connect(options, 0) as first, connect(options, 1) as second:
        for number, newest, older in ((5, second, first), (14, first, second)):
            cursor = newest.cursor()
            cursor.execute("SELECT * FROM tournaments WHERE tournament_id = %s", (number,))
            (row,) = cursor.fetchall()
            cursor = older.cursor()
            cursor.execute(f"INSERT INTO tournaments VALUES ({', '.join(['%s'] * len(row))})", row)
            cursor.execute("UPDATE tournaments SET log_offset = 10, name = 'old' WHERE tournament_id = %s", (number,))


# -- the command --------------------------------------------------------------------------------------------------------


def test_the_command(
    mysql_servers: RunningMysql, two: MysqlOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "servers.json"
    file.write_text(json.dumps({"mysql": {**mysql_servers.connect_values, "database": DATABASE}}))
    servers = ["--servers", str(file)]
    assert main(["shards", *servers]) == 1
    assert "nobody can say where partitions lie" in capsys.readouterr().out

    async def made() -> None:
        records = await ShardedRecords.open(two, PARTITIONS)
        await fill(records)
        await records.close()

    asyncio.run(made())
    assert main(["shards", *servers]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[:5] for line in shown[1:]] == [
        ["0", "3", "0-2", str(two.shards[0].primary), "primary"],
        ["0", "-", "-", str(two.shards[0].replicas[0]), "replica"],
        ["1", "2", "3-4", str(two.shards[1].primary), "primary"],
        ["1", "-", "-", str(two.shards[1].replicas[0]), "replica"],
    ]
    assert main(["shards", "move", "0,2-3", "--to", "1", *servers]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("partition 0 lies on shard 1; saves to it waited for ")
    assert told[-1] == "3 partitions lie on shard 1; 2 were moved"
    mysql_servers.kill("mysql-1-primary")
    assert main(["shards", *servers]) == 1
    shown_now = capsys.readouterr().out
    assert "0,2-4" in shown_now
    assert "does not answer" in shown_now
    assert main(["shards", "move", "1", "--to", "1", *servers]) == 1
    mysql_servers.start("mysql-1-primary")
    for wrong in (
        ["move", "0-4"],
        ["move", "0-4", "--to", "7"],
        ["move", "4-5", "--to", "1"],
        ["show", "1"],
        ["--to", "1"],
    ):
        assert main(["shards", *wrong, *servers]) == 1
    capsys.readouterr()
    file.write_text(json.dumps({**mysql_servers.connect_values, "password": "wr0ng-secret"}))
    assert main(["shards", *servers]) == 1
    told_at_last = "".join(capsys.readouterr())
    assert "Access denied" in told_at_last
    assert "wr0ng-secret" not in told_at_last


def test_partitions_are_read_as_they_are_shown() -> None:
    for partitions in ([0], [0, 1, 2], [0, 2, 3, 49], list(range(50))):
        assert partitions_of(ranges(partitions)) == partitions
    for wrong in ("", "-", "a", "1-", "1,,2", "0-100000", "-1", "5 "):
        with pytest.raises(ValueError, match="expected partitions"):
            partitions_of(wrong)


def test_places_are_even_in_a_row() -> None:
    assert [place.shard for place in even(5, 2).values()] == [0, 0, 0, 1, 1]
    assert [place.shard for place in even(50, 4).values()] == sorted([0] * 13 + [1] * 12 + [2] * 13 + [3] * 12)
    assert even(1, 3) == {0: Place(0)}
