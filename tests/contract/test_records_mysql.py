"""What the MySQL records keep beyond the port: indexes, partitions, races, wrong settings, TLS."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from storage.ports import (
    ListQuery,
    OutboxRow,
    Records,
    RecordsUnavailableError,
    StorageError,
)
from storage.records.mysql.engine import MysqlOptions, MysqlServer, MysqlShard, mysql_engine, prepare
from storage.records.mysql.sharded import ShardedRecords
from storage.records.sql.database import SqlRecords
from tests.contract.test_records import (
    checkpoint,
    everything,
    listed,
    participant,
    partition,
    save,
    tournament,
    whole,
)
from tests.support.calm_clock import calm_s
from tests.support.certificates import Authority
from tests.support.servers_mysql import PARTITIONS, RunningMysql, on_shard

# -- the schema -------------------------------------------------------------------------------------------------


async def test_the_seeds_indexes_serve_their_queries(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    fill = """
        USE palio;
        INSERT INTO palio.tournament_participants
            SELECT seq % 200 + 1, seq DIV 200 + 1, 'x', 1, seq % 977, 1, NULL, seq, NULL, NULL FROM seq_1_to_20000;
        INSERT INTO palio.tournaments
            SELECT seq, seq % 5, 1, 1, 'x', 'x', 'scheduled', 'public', ELT(1 + seq % 4, 'scheduled', 'running', 'finished', 'cancelled'),
                seq % 4 < 2, 0, 1, seq, seq, seq, NULL, NULL, 0, 1, 0, '{}' FROM seq_1_to_5000;
        ANALYZE TABLE palio.tournament_participants, palio.tournaments;
    """
    await asyncio.to_thread(mysql.sql, "mysql-0-primary", fill)
    page = "WHERE created_ms <= 900 AND (created_ms < 900 OR tournament_id < 7) ORDER BY created_ms DESC, tournament_id DESC LIMIT 51"
    for sql, index in (
        (
            "SELECT user_id, score FROM tournament_participants WHERE tournament_id = 7 ORDER BY score DESC LIMIT 20",
            "idx_tournament_participants_tournament",
        ),
        ("SELECT * FROM tournament_participants WHERE user_id = 7 AND active = 1", "idx_tournament_participants_user"),
        (
            "SELECT tournament_id FROM tournaments WHERE status = 'scheduled' AND start_time <= 300 ORDER BY start_time",
            "idx_tournaments_status",
        ),
        (
            "SELECT tournament_id FROM tournaments WHERE is_active = 1 AND end_time <= 300 ORDER BY end_time",
            "idx_tournaments_active",
        ),
        (f"SELECT * FROM tournaments {page}", "idx_tournaments_listed"),
        (
            "SELECT tournament_id FROM tournaments WHERE log_partition = 1 AND is_active = 1",
            "idx_tournaments_partition",
        ),
    ):
        plan = (await asyncio.to_thread(mysql.sql, "mysql-0-primary", f"USE palio; EXPLAIN {sql};")).split("\t")
        assert plan[5] == index, (sql, plan)
        assert "filesort" not in plan[9], (sql, plan)


async def test_participants_are_partitioned_in_eight(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    numbers = [number for number in range(1, 30) if number in set(on_shard(0, 20))]
    await save(sharded, checkpoint(*map(tournament, numbers), participants=[participant(n, 1) for n in numbers]))
    count = (
        "SELECT COUNT(*), COUNT(DISTINCT partition_method) FROM information_schema.partitions"
        " WHERE table_schema = 'palio' AND table_name = 'tournament_participants' AND partition_method = 'HASH'"
        " AND partition_expression LIKE '%tournament_id%';"
    )
    assert (await asyncio.to_thread(mysql.sql, "mysql-0-primary", count)).split() == ["8", "1"]
    pruned = "USE palio; EXPLAIN PARTITIONS SELECT * FROM tournament_participants WHERE tournament_id = 3;"
    assert (await asyncio.to_thread(mysql.sql, "mysql-0-primary", pruned)).split("\t")[3] == "p3"
    key = "SHOW CREATE TABLE palio.tournament_participants;"
    shown = await asyncio.to_thread(mysql.sql, "mysql-0-primary", key)
    assert "PRIMARY KEY (`tournament_id`,`user_id`)" in shown
    assert "`score` decimal(10,2)" in shown
    assert "(`tournament_id`,`score` DESC)" in shown


async def test_a_tournament_lies_on_the_shard_of_its_partition(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    for shard in (0, 1):
        number = on_shard(shard)[0]
        await sharded.save(whole(number, 10))
        for table in ("tournaments", "tournament_participants", "snapshots", "outbox"):
            for at in (0, 1):
                sql = f"SELECT COUNT(*) FROM palio.{table} WHERE tournament_id = {number};"
                shown = await asyncio.to_thread(mysql.sql, f"mysql-{at}-primary", sql)
                assert int(shown) == (at == shard)


# -- fencing and races ----------------------------------------------------------------------------------------------


async def test_a_stale_owner_writes_nothing(mysql_options: MysqlOptions, sharded: ShardedRecords) -> None:
    """Its rows, effects, snapshot and offset are older than what is there, on every shard."""
    stale = await ShardedRecords.open(mysql_options, PARTITIONS)
    numbers = [on_shard(0)[0], on_shard(1)[0]]
    for number in numbers:
        await sharded.save(whole(number, 10, b"before"))
        await sharded.save(whole(number, 20, b"newest"))
    before = [await everything(sharded, number) for number in numbers]
    for number in numbers:
        await stale.save(whole(number, 19, b"stale"))
    assert [await everything(sharded, number) for number in numbers] == before
    await stale.close()


async def test_owners_that_race_leave_the_highest_offset(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    """Also for a tournament that is new to the database, whose row cannot be locked before it is there."""
    stores = [await ShardedRecords.open(mysql.options(), PARTITIONS) for _ in range(4)]
    for number in (1, 2, 3):
        saves = [store.save(whole(number, 10 * i + j)) for i in range(1, 6) for j, store in enumerate(stores)]
        await asyncio.gather(*saves)
        row, kept, page, effects, projected = await everything(sharded, number)
        expected = whole(number, 53)
        assert row == expected.tournaments[0]
        assert isinstance(kept, list)
        assert kept[0] == expected.snapshots[0]
        assert isinstance(page, list)
        assert (row, expected.participants[0]) in page
        assert isinstance(effects, list)
        assert expected.outbox[0] in effects
        assert projected == {f"partition-{partition(number)}": 53}
    for store in stores:
        await store.close()


async def test_owners_of_different_tournaments_do_not_fail_each_other(mysql: RunningMysql) -> None:
    """New rows between each other's rows, many in a transaction: what deadlocks where gaps are locked."""
    stores = [await ShardedRecords.open(mysql.options(), PARTITIONS) for _ in range(4)]

    async def work(index: int) -> None:
        for turn in range(5):
            numbers = [1 + index + 4 * (20 * turn + i) for i in range(20)]
            await save(
                stores[index],
                checkpoint(
                    *(tournament(n, 10 + turn) for n in numbers),
                    participants=[participant(n, user) for n in numbers for user in range(1, 6)],
                    outbox=[OutboxRow(n, 10 + turn, 0, "finished", b"x") for n in numbers],
                    projected=[(f"partition-{index}", index, 10 + turn)],
                ),
            )

    await asyncio.gather(*(work(index) for index in range(4)))
    found = [number for p in range(5) for number in await stores[0].active(p, dedicated=False)]
    assert sorted(found) == list(range(1, 401))
    for store in stores:
        await store.close()


async def test_a_lock_that_stays_taken_is_unavailable_in_bounded_time(
    mysql: RunningMysql, sharded: ShardedRecords
) -> None:
    number = on_shard(0)[0]
    await sharded.save(whole(number, 10))
    hold = f"BEGIN; SELECT * FROM palio.tournaments WHERE tournament_id = {number} FOR UPDATE; SELECT SLEEP(5);"
    holder = asyncio.create_task(asyncio.to_thread(mysql.sql, "mysql-0-primary", hold))
    await asyncio.sleep(0.5)
    start = calm_s()
    with pytest.raises(RecordsUnavailableError):
        await sharded.save(whole(number, 11))
    assert calm_s() - start < 4
    await holder
    await sharded.save(whole(number, 11))
    scope = f"partition-{partition(number)}"
    assert await sharded.projected(partition(number), [scope]) == {scope: 11}


async def test_a_save_of_many_rows_has_time_for_them(mysql_options: MysqlOptions) -> None:
    """One that is cut off is tried again, whole, and cut off again: nothing of a large tournament would ever be durable."""
    await prepare(mysql_options, mysql_options.shards[0].primary)
    records = SqlRecords(mysql_engine(mysql_options, mysql_options.shards[0].primary), timeout_ms=500)
    users = range(1, 30_001)
    await records.save(checkpoint(tournament(1), participants=[participant(1, user) for user in users]))
    _, last = (await records.user_tournaments(users[-1], None, 1))[0][0]
    assert last == participant(1, users[-1])
    await records.close()


# -- wrong settings --------------------------------------------------------------------------------------------------


async def test_wrong_settings_are_told_without_the_password(
    mysql_options: MysqlOptions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    nobody = MysqlServer("127.0.0.1", 1)
    elsewhere = MysqlServer("no-such-host.invalid", 3306)
    for wrong, message in (
        (dataclasses.replace(mysql_options, password="wr0ng-secret"), "Access denied"),
        (dataclasses.replace(mysql_options, user="nobody"), "Access denied"),
        (dataclasses.replace(mysql_options, database="palio_none"), "Unknown database"),
        (dataclasses.replace(mysql_options, database="mysql"), "denied"),
        (dataclasses.replace(mysql_options, shards=(MysqlShard(nobody),)), "Can't connect"),
        (dataclasses.replace(mysql_options, shards=(MysqlShard(elsewhere),)), "no-such-host"),
        (dataclasses.replace(mysql_options, tls=True), "SSL"),
    ):
        start = calm_s()
        with pytest.raises(RecordsUnavailableError, match=message) as told:
            await ShardedRecords.open(wrong, PARTITIONS)
        assert calm_s() - start < 5
        address = wrong.shards[0].primary
        direct: Records = SqlRecords(mysql_engine(wrong, address), timeout_ms=3_000)
        try:
            with pytest.raises(RecordsUnavailableError) as asked:
                await direct.tournament(1)
        finally:
            await direct.close()
        for error in (told.value, asked.value):
            text = f"{error!r} {error.__cause__!r} {wrong!r}"
            assert wrong.password not in text + caplog.text
            assert mysql_options.password not in text + caplog.text


async def test_servers_that_forget_or_cannot_take_it_are_told(
    mysql: RunningMysql, mysql_options: MysqlOptions, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        mysql.sql("mysql-0-primary", "SET GLOBAL innodb_flush_log_at_trx_commit = 2;")
        await prepare(mysql_options, mysql_options.shards[0].primary)
        assert "may forget what was saved" in caplog.text
        mysql.sql("mysql-0-primary", "SET GLOBAL max_allowed_packet = 4194304;")
        with pytest.raises(StorageError, match="expected max_allowed_packet of at least 9437184, found 4194304"):
            await prepare(mysql_options, mysql_options.shards[0].primary)
    finally:
        reset = "SET GLOBAL innodb_flush_log_at_trx_commit = 1; SET GLOBAL max_allowed_packet = 16777216;"
        mysql.sql("mysql-0-primary", reset)


async def test_tls_is_verified_and_used_and_a_client_may_have_to_show_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.own
    running = RunningMysql(tmp_path / "servers", shards=1, certificates=(own.certificate, own.key, own.certificate))
    try:
        offered = MysqlOptions.of(running.connect_values, tls=True, tls_ca_file=str(own.certificate))
        records = await ShardedRecords.open(offered, PARTITIONS)
        await records.save(whole(1, 10))
        assert await records.tournament(1) == whole(1, 10).tournaments[0]
        assert await listed(records, ListQuery()) == [1]
        for server in (records.shards[0].primary.records, records.shards[0].replicas[0].records):
            status = await server.run(lambda connection: connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_version'"))
            assert status.scalars(1).one().startswith("TLSv1.")
        await records.close()
        with pytest.raises(RecordsUnavailableError, match=r"(?i)certificate verify failed"):
            await ShardedRecords.open(dataclasses.replace(offered, tls_ca_file=None), PARTITIONS)

        running.sql("mysql-0-primary", f"ALTER USER '{offered.user}'@'%' REQUIRE X509;")
        with pytest.raises(RecordsUnavailableError, match="Access denied"):
            await ShardedRecords.open(offered, PARTITIONS)
        palio = authority.issue("palio")
        shown = dataclasses.replace(offered, tls_cert_file=str(palio.certificate), tls_key_file=str(palio.key))
        records = await ShardedRecords.open(shown, PARTITIONS)
        assert await records.tournament(1) == whole(1, 10).tournaments[0]
        await records.close()
    finally:
        running.down()


async def test_shards_in_another_order_are_refused(mysql_options: MysqlOptions, sharded: ShardedRecords) -> None:
    await sharded.save(whole(1, 10))
    swapped = dataclasses.replace(mysql_options, shards=mysql_options.shards[::-1])
    with pytest.raises(StorageError, match=r"expected shard 0 at .* found shard 1"):
        await ShardedRecords.open(swapped, PARTITIONS)
    with pytest.raises(StorageError, match="partitions lie on shards"):
        await ShardedRecords.open(dataclasses.replace(mysql_options, shards=mysql_options.shards[:1]), PARTITIONS)


async def test_a_wrong_row_is_told_as_such_and_names_no_values(mysql_options: MysqlOptions) -> None:
    await prepare(mysql_options, mysql_options.shards[0].primary)
    records = SqlRecords(mysql_engine(mysql_options, mysql_options.shards[0].primary), timeout_ms=3_000)
    bad = participant(1, 1, joined_ms=None, name="a person")
    with pytest.raises(DBAPIError, match="joined_ms") as told:
        await records.save(checkpoint(tournament(1), participants=[bad]))
    assert "a person" not in str(told.value)
    assert await records.tournament(1) is None
    await records.close()
