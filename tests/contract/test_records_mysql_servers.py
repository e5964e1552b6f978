"""MySQL servers that go, hang, lag and come back: what is refused, what goes on, and that nothing saved is lost."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import time
from collections.abc import Sequence

import pytest

from storage.ports import Checkpoint, ListQuery, RecordsUnavailableError, StorageError, StoredSnapshot
from storage.records.mysql.engine import MysqlOptions, MysqlShard
from storage.records.mysql.shard import Shard
from storage.records.mysql.sharded import ShardedRecords, check_servers
from storage.records.sql.schema import SCHEMA_VERSION
from tests.contract.test_records import checkpoint, everything, listed, participant, partition, tournament, whole
from tests.support.calm_clock import calm_s
from tests.support.servers_mysql import PARTITIONS, SHARD_TABLES, TABLES, RunningMysql, connect, on_shard


async def selects(mysql: RunningMysql, name: str) -> int:
    """How many SELECTs a server has answered."""
    shown = await asyncio.to_thread(mysql.sql, name, "SHOW GLOBAL STATUS LIKE 'Com_select';")
    return int(shown.split()[1])


async def comes(condition: object, within_s: float = 10.0) -> None:
    """Wait until a condition holds; it may be asynchronous."""
    deadline = time.monotonic() + within_s
    while True:
        held = condition()  # type: ignore[operator]
        if await held if asyncio.iscoroutine(held) else held:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_lists_come_from_replicas_and_see_every_save(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    await sharded.list_tournaments(ListQuery())
    before = await selects(mysql, "mysql-0-replica")
    for number in range(1, 31):
        await sharded.save(whole(number, 10))
        assert (await listed(sharded, ListQuery()))[0] == number
    assert await selects(mysql, "mysql-0-replica") - before >= 30


def left_out(shard: Shard) -> list[str]:
    return [replica.address for replica in shard.replicas if replica.left_out]


async def test_a_killed_replica_is_left_out_and_comes_back(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    await sharded.save(whole(1, 10))
    assert await listed(sharded, ListQuery()) == [1]
    mysql.kill("mysql-0-replica")
    for number in range(2, 6):
        await sharded.save(whole(number, 10))
        assert await listed(sharded, ListQuery()) == list(range(number, 0, -1))
    assert [len(left_out(shard)) for shard in sharded.shards] == [1, 0]
    mysql.start("mysql-0-replica")
    await comes(lambda: not left_out(sharded.shards[0]))
    before = await selects(mysql, "mysql-0-replica")
    assert await listed(sharded, ListQuery()) == [5, 4, 3, 2, 1]
    assert await selects(mysql, "mysql-0-replica") > before


async def test_a_replica_that_lags_is_left_out_and_comes_back(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    await sharded.save(whole(1, 10))
    assert await listed(sharded, ListQuery()) == [1]
    mysql.sql("mysql-0-replica", "STOP SLAVE;")
    mysql.sql("mysql-1-replica", "STOP SLAVE;")
    for number in (2, 3):
        await sharded.save(whole(number, 10))
        assert await listed(sharded, ListQuery()) == list(range(number, 0, -1))
    assert [len(left_out(shard)) for shard in sharded.shards] == [1, 1] or await listed(sharded, ListQuery())
    mysql.sql("mysql-0-replica", "START SLAVE;")
    mysql.sql("mysql-1-replica", "START SLAVE;")
    await comes(lambda: not any(left_out(shard) for shard in sharded.shards))
    assert await listed(sharded, ListQuery()) == [3, 2, 1]


async def test_a_replica_that_hangs_costs_one_read_a_bounded_time(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    await sharded.save(whole(1, 10))
    assert await listed(sharded, ListQuery()) == [1]
    mysql.signal("mysql-0-replica", signal.SIGSTOP)
    start = calm_s()
    assert await listed(sharded, ListQuery()) == [1]
    assert calm_s() - start < 5
    start = calm_s()
    assert await listed(sharded, ListQuery()) == [1]
    assert calm_s() - start < 0.5
    mysql.signal("mysql-0-replica", signal.SIGCONT)
    await comes(lambda: not left_out(sharded.shards[0]))


async def test_a_killed_primary_refuses_saves_and_works_again(
    mysql: RunningMysql, mysql_options: MysqlOptions, sharded: ShardedRecords
) -> None:
    number = on_shard(0)[0]
    await sharded.save(whole(number, 10, b"kept"))
    before = await everything(sharded, number)
    await comes(lambda: _caught_up(mysql_options))
    mysql.kill("mysql-0-primary")
    start = calm_s()
    with pytest.raises(RecordsUnavailableError, match=r"127\.0\.0\.1"):
        await sharded.save(whole(number, 11, b"lost"))
    with pytest.raises(RecordsUnavailableError):
        await sharded.snapshots(number)  # recovery trusts the primary alone
    assert calm_s() - start < 3
    assert await sharded.tournament(number) == whole(number, 10, b"kept").tournaments[0]  # a replica's
    assert await listed(sharded, ListQuery()) == [number]
    mysql.start("mysql-0-primary")
    assert await everything(sharded, number) == before
    await sharded.save(whole(number, 11, b"there"))
    assert await sharded.tournament(number) == whole(number, 11, b"there").tournaments[0]
    await comes(lambda: not left_out(sharded.shards[0]))


async def test_a_primary_that_hangs_refuses_in_bounded_time(
    mysql: RunningMysql, mysql_options: MysqlOptions, sharded: ShardedRecords
) -> None:
    """A short time at first, no time from then on; replicas answer what they may."""
    number = on_shard(0)[0]
    await sharded.save(whole(number, 10))
    await comes(lambda: _caught_up(mysql_options))
    mysql.signal("mysql-0-primary", signal.SIGSTOP)
    start = calm_s()
    with pytest.raises(RecordsUnavailableError, match="no answer within 1 s"):
        await sharded.save(whole(number, 11))
    assert calm_s() - start < 2.5
    start = calm_s()
    assert await listed(sharded, ListQuery()) == [number]
    assert await sharded.shown_snapshots(number) == whole(number, 10).snapshots
    for refused in (sharded.save(whole(number, 11)), sharded.snapshots(number), sharded.projected(0, ["x"])):
        with pytest.raises(RecordsUnavailableError, match="no answer within 1 s"):
            await refused
    assert calm_s() - start < 0.5
    mysql.signal("mysql-0-primary", signal.SIGCONT)
    await comes(lambda: saves(sharded, whole(number, 11)))
    assert (await sharded.snapshots(number))[0] == whole(number, 11).snapshots[0]


async def saves(records: ShardedRecords, wanted: Checkpoint) -> bool:
    try:
        await records.save(wanted)
    except RecordsUnavailableError:
        return False
    return True


async def test_a_shard_that_answers_and_takes_no_saves_is_waited_for_once(
    mysql: RunningMysql, mysql_options: MysqlOptions
) -> None:
    """As while a backup locks its tables: who saves many partitions does not wait for each of them, and other shards take theirs."""
    records = await ShardedRecords.open(dataclasses.replace(mysql_options, timeout_ms=1000), PARTITIONS)
    try:
        stuck, other = on_shard(0, 2), on_shard(1)[0]
        with connect(mysql_options, 0) as backup:
            backup.cursor().execute("LOCK TABLES tournaments READ")
            with pytest.raises(RecordsUnavailableError, match="no answer within 1 s"):
                await records.save(whole(stuck[0], 10))
            with pytest.raises(RecordsUnavailableError, match="the last save took too long"):
                await records.save(whole(stuck[1], 10))
            await records.save(whole(other, 10))
        await comes(lambda: saves(records, whole(stuck[1], 10)))
        assert await records.tournament(stuck[1]) == whole(stuck[1], 10).tournaments[0]
    finally:
        await records.close()


async def test_a_primary_that_begins_to_hang_in_the_midst_of_a_save_is_found(
    mysql: RunningMysql, sharded: ShardedRecords
) -> None:
    """A save of many participants may take far longer than a server that hangs is waited for."""
    number = on_shard(0)[0]
    people = [participant(number, user) for user in range(1, 60_001)]
    big = asyncio.create_task(sharded.save(checkpoint(tournament(number), participants=people)))
    await asyncio.sleep(0.2)
    assert not big.done()
    mysql.signal("mysql-0-primary", signal.SIGSTOP)
    start = calm_s()
    with pytest.raises(RecordsUnavailableError):
        await big
    assert calm_s() - start < 4
    mysql.signal("mysql-0-primary", signal.SIGCONT)
    await comes(lambda: saves(sharded, whole(number, 11)))


@pytest.mark.parametrize("away", [0, 1])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_shard_that_is_away_is_missed_by_its_partitions_alone(
    mysql: RunningMysql, sharded: ShardedRecords, away: int, how: signal.Signals
) -> None:
    """Those of the other shard are saved, recovered and read as ever, and wait for nobody."""
    lost, kept = on_shard(away)[0], on_shard(1 - away)[0]
    for number in (lost, kept):
        await sharded.save(whole(number, 10))
    if how == signal.SIGKILL:
        mysql.kill(f"mysql-{away}-primary")
    else:
        mysql.signal(f"mysql-{away}-primary", how)
    for turn, offset in enumerate((11, 12)):
        start = calm_s()
        with pytest.raises(RecordsUnavailableError):
            await sharded.save(whole(lost, offset))
        assert turn == 0 or calm_s() - start < 0.5, "it is waited for once"
        start = calm_s()
        await sharded.save(whole(kept, offset))
        assert (await sharded.snapshots(kept))[0] == whole(kept, offset).snapshots[0]
        assert await sharded.tournament(kept) == whole(kept, offset).tournaments[0]
        scope = f"partition-{partition(kept)}"
        assert await sharded.projected(partition(kept), [scope]) == {scope: offset}
        assert kept in await sharded.active(partition(kept), dedicated=False)
        assert calm_s() - start < 0.5
    mysql.up()
    await comes(lambda: saves(sharded, whole(lost, 12)))
    assert (await sharded.snapshots(lost))[0] == whole(lost, 12).snapshots[0]


async def test_what_is_settled_is_told_without_the_primary_by_a_replica_that_has_it_all(
    mysql: RunningMysql, mysql_options: MysqlOptions, sharded: ShardedRecords
) -> None:
    there, missing = on_shard(0, 2)
    with pytest.raises(RecordsUnavailableError, match="no replica"):
        await sharded.settled_snapshots(there)  # this process knows nothing of it yet
    await sharded.projected(partition(there), ["x"])
    await comes(lambda: settles(sharded, there, []))
    for offset in (10, 11):
        await sharded.save(whole(there, offset))
        await comes(lambda offset=offset: settles(sharded, there, whole(there, offset).snapshots))
    mysql.kill("mysql-0-primary")
    assert (await sharded.settled_snapshots(there))[0] == whole(there, 11).snapshots[0]
    assert await sharded.settled_snapshots(missing) == []
    mysql.start("mysql-0-primary")
    await comes(lambda: _caught_up(mysql_options))
    mysql.sql("mysql-0-replica", "STOP SLAVE;")
    try:
        await sharded.save(whole(there, 12))
        mysql.kill("mysql-0-primary")
        for number in (there, missing):
            with pytest.raises(RecordsUnavailableError, match="no replica"):  # it may lack what was saved
                await sharded.settled_snapshots(number)
        assert (await sharded.shown_snapshots(there))[0] == whole(there, 11).snapshots[0]
    finally:
        mysql.sql("mysql-0-replica", "START SLAVE;")


async def settles(records: ShardedRecords, number: int, newest: Sequence[StoredSnapshot]) -> bool:
    try:
        return (await records.settled_snapshots(number))[:1] == newest
    except RecordsUnavailableError:  # the replica is a moment behind
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("away", [0, 1])
async def test_a_prepared_store_opens_without_a_primary(
    mysql: RunningMysql, mysql_options: MysqlOptions, sharded: ShardedRecords, away: int, how: signal.Signals
) -> None:
    """Its replica says that the shard is well, and shows what lies there; what recovery reads waits for the primary."""
    lost, kept = on_shard(away)[0], on_shard(1 - away)[0]
    for number in (lost, kept):
        await sharded.save(whole(number, 10))
    await comes(lambda: _caught_up(mysql_options))
    if how == signal.SIGKILL:
        mysql.kill(f"mysql-{away}-primary")
    else:
        mysql.signal(f"mysql-{away}-primary", how)
    start = calm_s()
    opened = await ShardedRecords.open(mysql_options, PARTITIONS)
    assert calm_s() - start < 3
    assert sorted(await listed(opened, ListQuery())) == sorted([lost, kept])
    assert await opened.shown_snapshots(lost) == whole(lost, 10).snapshots
    await opened.save(whole(kept, 11))
    with pytest.raises(RecordsUnavailableError):
        await opened.save(whole(lost, 11))
    with pytest.raises(RecordsUnavailableError):
        await opened.snapshots(lost)
    with pytest.raises(RecordsUnavailableError):
        await opened.active(partition(lost), dedicated=False)
    assert await opened.active(partition(kept), dedicated=False) == [kept]
    mysql.up()
    await comes(lambda: saves(opened, whole(lost, 11)))
    assert (await opened.snapshots(lost))[0] == whole(lost, 11).snapshots[0]
    await opened.close()


@pytest.mark.parametrize("away", [0, 1])
async def test_a_shard_may_be_away_with_all_its_servers(
    mysql: RunningMysql, mysql_options: MysqlOptions, sharded: ShardedRecords, away: int
) -> None:
    """Any other one says where partitions lie."""
    lost, kept = on_shard(away)[0], on_shard(1 - away)[0]
    for number in (lost, kept):
        await sharded.save(whole(number, 10))
    alone = dataclasses.replace(mysql_options, shards=tuple(MysqlShard(s.primary) for s in mysql_options.shards))
    mysql.kill(f"mysql-{away}-primary")
    opened = await ShardedRecords.open(alone, PARTITIONS)
    assert (await opened.snapshots(kept))[0] == whole(kept, 10).snapshots[0]
    for refused in (opened.snapshots(lost), opened.tournament(lost), listed(opened, ListQuery())):
        with pytest.raises(RecordsUnavailableError):
            await refused
    mysql.start(f"mysql-{away}-primary")
    assert (await opened.snapshots(lost))[0] == whole(lost, 10).snapshots[0]
    assert sorted(await listed(opened, ListQuery())) == sorted([lost, kept])
    await opened.close()
    for shard in (0, 1):
        mysql.kill(f"mysql-{shard}-primary")  # nobody says where anything lies
    with pytest.raises(RecordsUnavailableError):
        await ShardedRecords.open(alone, PARTITIONS)


async def test_the_first_start_needs_every_primary(mysql: RunningMysql, mysql_options: MysqlOptions) -> None:
    """Also one that was cut off when only some shards had their tables."""
    new = dataclasses.replace(mysql_options, database="palio_first")
    for shard in (0, 1):
        mysql.sql(f"mysql-{shard}-primary", "DROP DATABASE IF EXISTS palio_first; CREATE DATABASE palio_first;")
    for away in (1, 0):
        mysql.kill(f"mysql-{away}-primary")
        with pytest.raises(RecordsUnavailableError, match=str(new.shards[away].primary)):
            await ShardedRecords.open(new, PARTITIONS)
        mysql.start(f"mysql-{away}-primary")
    await (await ShardedRecords.open(new, PARTITIONS)).close()
    await comes(lambda: _caught_up(new))
    mysql.kill("mysql-1-primary")
    await (await ShardedRecords.open(new, PARTITIONS)).close()


WRONG = {
    "another shard": ("UPDATE palio.shard_identity SET shard = 0;", "expected shard 1 at .* found shard 0"),
    "another installation": ("UPDATE palio.shard_identity SET installation = 'x';", "expected shard 1 of installation"),
    "newer": ("UPDATE palio.schema_version SET version = 99;", "has schema 99"),
    "no tables": (
        "CREATE DATABASE palio_aside; " + "".join(
            f"RENAME TABLE palio.{t} TO palio_aside.{t};"
            for t in (*TABLES, *SHARD_TABLES, "schema_version", "alembic_version")
        ),
        "found no tables",
    ),
    "other tables": ("RENAME TABLE palio.schema_version TO palio.something_else;", "not those of Palio's records"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
async def test_a_primary_that_is_another_one_when_it_is_back_is_refused(
    mysql: RunningMysql, mysql_options: MysqlOptions, sharded: ShardedRecords, what: str
) -> None:
    """Loudly, by every call that needs it, and nothing is written to it."""
    number = on_shard(1)[0]
    await sharded.save(whole(number, 10))
    # without its replica, to which the wrong would be replicated when it is brought about
    alone = dataclasses.replace(
        mysql_options, shards=(mysql_options.shards[0], MysqlShard(mysql_options.shards[1].primary))
    )
    mysql.kill("mysql-1-primary")
    opened = await ShardedRecords.open(alone, PARTITIONS)
    mysql.start("mysql-1-primary")
    before = await asyncio.to_thread(mysql.sql, "mysql-1-primary", "SET SESSION sql_log_bin = 0; " + DUMP)
    bring_about, message = WRONG[what]
    identity = mysql.sql("mysql-1-primary", "SELECT installation FROM palio.shard_identity;").strip()
    mysql.sql("mysql-1-primary", f"SET SESSION sql_log_bin = 0; {bring_about}")
    try:
        for refused in (
            lambda: opened.save(whole(number, 11)),
            lambda: opened.snapshots(number),
            lambda: opened.tournament(number),
            lambda: listed(opened, ListQuery()),
            lambda: opened.active(partition(number), dedicated=False),
        ):
            with pytest.raises(StorageError, match=message) as told:
                await refused()
            assert not isinstance(told.value, RecordsUnavailableError)
    finally:
        await opened.close()
        mysql.sql("mysql-1-primary", f"SET SESSION sql_log_bin = 0; {undo(what, identity)}")
    assert await asyncio.to_thread(mysql.sql, "mysql-1-primary", DUMP) == before


DUMP = "".join(f"SELECT * FROM palio.{table};" for table in (*TABLES, *SHARD_TABLES, "schema_version"))


def undo(what: str, installation: str) -> str:
    if what == "no tables":
        tables = (*TABLES, *SHARD_TABLES, "schema_version", "alembic_version")
        return "".join(f"RENAME TABLE palio_aside.{t} TO palio.{t};" for t in tables) + "DROP DATABASE palio_aside;"
    if what == "other tables":
        return "RENAME TABLE palio.something_else TO palio.schema_version;"
    same = f"UPDATE palio.shard_identity SET shard = 1, installation = '{installation}';"
    return f"{same} UPDATE palio.schema_version SET version = {SCHEMA_VERSION};"


async def test_a_new_database_in_place_of_a_shard_is_refused(mysql: RunningMysql, mysql_options: MysqlOptions) -> None:
    """What should lie there would be taken for never made."""
    new = dataclasses.replace(mysql_options, database="palio_lost")
    anew = "DROP DATABASE IF EXISTS palio_lost; CREATE DATABASE palio_lost;"
    for shard in (0, 1):
        mysql.sql(f"mysql-{shard}-primary", anew)
    await (await ShardedRecords.open(new, PARTITIONS)).close()
    mysql.sql("mysql-1-primary", anew)
    with pytest.raises(StorageError, match=r"expected shard 1 of installation .* found a new database"):
        await ShardedRecords.open(new, PARTITIONS)


async def test_another_number_of_partitions_is_refused(mysql_options: MysqlOptions, sharded: ShardedRecords) -> None:
    with pytest.raises(StorageError, match=r"expected 6 partitions .* found 5"):
        await ShardedRecords.open(mysql_options, PARTITIONS + 1)


async def test_what_a_save_returned_from_survives_the_primary(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    numbers = on_shard(1, 20)
    for number in numbers:
        await sharded.save(whole(number, 10))
    mysql.kill("mysql-1-primary")
    mysql.start("mysql-1-primary")
    for number in numbers:
        assert (await sharded.snapshots(number))[0] == whole(number, 10).snapshots[0]


async def test_health_tells_each_server(mysql: RunningMysql, mysql_options: MysqlOptions) -> None:
    mysql.kill("mysql-1-replica")
    health = (await check_servers(mysql_options))[1]
    assert [(h.shard, h.role, h.answer_ms is not None, h.behind) for h in health] == [
        (0, "primary", True, None),
        (0, "replica", True, False),
        (1, "primary", True, None),
        (1, "replica", False, None),
    ]
    assert health[3].error


async def _caught_up(mysql_options: MysqlOptions) -> bool:
    return not any(server.behind for server in (await check_servers(mysql_options))[1])
