"""MySQL servers that go, hang, lag and come back: what is refused, what goes on, and that nothing saved is lost."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from storage.base import Checkpoint, ListQuery, RecordsUnavailableError
from storage.records_mysql import MysqlOptions
from storage.records_sharded import ShardedRecords, look
from tests.contract.test_records import checkpoint, everything, listed, tournament, whole
from tests.support.servers_mysql import RunningMysql, on_shard


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


async def test_the_offset_of_a_scope_waits_for_every_shard(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    """It stands for tournaments on all shards: as long as one shard lacks them it must not rise."""
    both = [on_shard(0)[0], on_shard(1)[0]]

    def at(offset: int) -> Checkpoint:
        return checkpoint(*(tournament(n, offset) for n in both), projected=[("partition-3", 3, offset)])

    await sharded.save(at(10))
    mysql.kill("mysql-1-primary")
    with pytest.raises(RecordsUnavailableError):
        await sharded.save(at(11))
    assert await sharded.projected(["partition-3"]) == {"partition-3": 10}
    mysql.start("mysql-1-primary")
    await sharded.save(at(11))
    assert await sharded.projected(["partition-3"]) == {"partition-3": 11}
    for number in both:
        assert await sharded.tournament(number) == tournament(number, 11)


async def test_lists_come_from_replicas_and_see_every_save(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    await sharded.list_tournaments(ListQuery())
    before = await selects(mysql, "mysql-0-replica")
    for number in range(1, 31):
        await sharded.save(whole(number, 10))
        assert (await listed(sharded, ListQuery()))[0] == number
    assert await selects(mysql, "mysql-0-replica") - before >= 30


async def test_a_killed_replica_is_left_out_and_comes_back(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    await sharded.save(whole(1, 10))
    assert await listed(sharded, ListQuery()) == [1]
    mysql.kill("mysql-0-replica")
    for number in range(2, 6):
        await sharded.save(whole(number, 10))
        assert await listed(sharded, ListQuery()) == list(range(number, 0, -1))
    assert [len(shard.left_out) for shard in sharded.shards] == [1, 0]
    mysql.start("mysql-0-replica")
    await comes(lambda: not sharded.shards[0].left_out)
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
    assert [len(shard.left_out) for shard in sharded.shards] == [1, 1] or await listed(sharded, ListQuery())
    mysql.sql("mysql-0-replica", "START SLAVE;")
    mysql.sql("mysql-1-replica", "START SLAVE;")
    await comes(lambda: not any(shard.left_out for shard in sharded.shards))
    assert await listed(sharded, ListQuery()) == [3, 2, 1]


async def test_a_replica_that_hangs_costs_one_read_a_bounded_time(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    await sharded.save(whole(1, 10))
    assert await listed(sharded, ListQuery()) == [1]
    mysql.signal("mysql-0-replica", signal.SIGSTOP)
    start = time.monotonic()
    assert await listed(sharded, ListQuery()) == [1]
    assert time.monotonic() - start < 5
    start = time.monotonic()
    assert await listed(sharded, ListQuery()) == [1]
    assert time.monotonic() - start < 0.5
    mysql.signal("mysql-0-replica", signal.SIGCONT)
    await comes(lambda: not sharded.shards[0].left_out)


async def test_a_killed_primary_refuses_saves_and_works_again(
    mysql: RunningMysql, mysql_options: MysqlOptions, sharded: ShardedRecords
) -> None:
    number = on_shard(0)[0]
    await sharded.save(whole(number, 10, b"kept"))
    before = await everything(sharded, number)
    await comes(lambda: _caught_up(mysql_options))
    mysql.kill("mysql-0-primary")
    start = time.monotonic()
    with pytest.raises(RecordsUnavailableError, match=r"127\.0\.0\.1"):
        await sharded.save(whole(number, 11, b"lost"))
    with pytest.raises(RecordsUnavailableError):
        await sharded.snapshots(number)  # recovery trusts the primary alone
    assert time.monotonic() - start < 3
    assert await sharded.tournament(number) == whole(number, 10, b"kept").tournaments[0]  # a replica's
    assert await listed(sharded, ListQuery()) == [number]
    mysql.start("mysql-0-primary")
    assert await everything(sharded, number) == before
    await sharded.save(whole(number, 11, b"there"))
    assert await sharded.tournament(number) == whole(number, 11, b"there").tournaments[0]
    await comes(lambda: not sharded.shards[0].left_out)


async def test_a_primary_that_hangs_refuses_in_bounded_time(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    number = on_shard(0)[0]
    await sharded.save(whole(number, 10))
    mysql.signal("mysql-0-primary", signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(RecordsUnavailableError, match="no answer within 3 s"):
        await sharded.save(whole(number, 11))
    assert time.monotonic() - start < 6
    start = time.monotonic()
    assert await listed(sharded, ListQuery()) == [number]
    assert time.monotonic() - start < 6
    mysql.signal("mysql-0-primary", signal.SIGCONT)
    await sharded.save(whole(number, 11))
    assert await sharded.snapshot(number) == whole(number, 11).snapshots[0]


async def test_opening_while_a_primary_hangs_or_is_down_is_told_in_bounded_time(
    mysql: RunningMysql, mysql_options: MysqlOptions
) -> None:
    for take_down in (lambda: mysql.signal("mysql-1-primary", signal.SIGSTOP), lambda: mysql.kill("mysql-1-primary")):
        take_down()
        start = time.monotonic()
        with pytest.raises(RecordsUnavailableError, match=str(mysql_options.shards[1].primary)):
            await ShardedRecords.open(mysql_options)
        assert time.monotonic() - start < 6
        mysql.up()
    await (await ShardedRecords.open(mysql_options)).close()


async def test_what_a_save_returned_from_survives_the_primary(mysql: RunningMysql, sharded: ShardedRecords) -> None:
    numbers = on_shard(1, 20)
    for number in numbers:
        await sharded.save(whole(number, 10))
    mysql.kill("mysql-1-primary")
    mysql.start("mysql-1-primary")
    for number in numbers:
        assert await sharded.snapshot(number) == whole(number, 10).snapshots[0]


async def test_health_tells_each_server(mysql: RunningMysql, mysql_options: MysqlOptions) -> None:
    mysql.kill("mysql-1-replica")
    health = (await look(mysql_options))[1]
    assert [(h.shard, h.role, h.answer_ms is not None, h.behind) for h in health] == [
        (0, "primary", True, None),
        (0, "replica", True, False),
        (1, "primary", True, None),
        (1, "replica", False, None),
    ]
    assert health[3].error


async def _caught_up(mysql_options: MysqlOptions) -> bool:
    return not any(server.behind for server in (await look(mysql_options))[1])
