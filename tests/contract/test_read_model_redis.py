"""What the read model in Redis keeps beyond the port when Redis is away, full, hung, wiped or failed over; and the owner's side over it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from actors.domain.tournament import Tournament
from actors.owner.change import Change
from actors.owner.entity import Entity
from actors.owner.read_model.entry import delta_of
from actors.owner.read_model.writer import ReadModelWriter, ReadModelWriterConfig
from storage.ports import RankingsQuery, ReadModelDelta, ReadModelFullError, ReadModelUnavailableError, ViewQuery
from storage.read_model.redis import RedisReadModel
from storage.redis_client.connection import RedisConfig
from tests.contract.conftest import ReadModelUnderTest
from tests.contract.test_read_model import held_of, score, whole
from tests.support.calm_clock import calm_s
from tests.support.histories import TOURNAMENT, item_of
from tests.support.read_model_owner import EPOCH, Held
from tests.support.servers_redis import RunningRedis, free_ports

RIGHT_S = (
    5.0  # read models are right again within this after a fault, or after their store's return where all of it was away
)


@contextlib.asynccontextmanager
async def opened(config: RedisConfig) -> AsyncIterator[RedisReadModel]:
    read_model = RedisReadModel(config)
    yield read_model
    await read_model.close()


@contextlib.contextmanager
def memory_of(redis: RunningRedis, limit: str) -> Iterator[None]:
    for port in redis.ports:
        redis.ask("CONFIG", "SET", "maxmemory", limit, port=port)
    yield
    for port in redis.ports:
        redis.ask("CONFIG", "SET", "maxmemory", "256mb", port=port)


async def test_a_wrong_password_is_told_without_the_password(redis_read_model: ReadModelUnderTest) -> None:
    async with opened(redis_read_model.redis.config(password="not-this-secret")) as read_model:
        with pytest.raises(
            ReadModelUnavailableError, match=r"read models not written: .*invalid username-password pair"
        ) as error:
            await read_model.write([whole(held_of(3))])
        assert error.value.failed == {TOURNAMENT}
        assert "not-this-secret" not in str(error.value)
        with pytest.raises(ReadModelUnavailableError) as error:
            await read_model.read(TOURNAMENT, ViewQuery())
        assert "not-this-secret" not in str(error.value)


async def test_a_full_redis_refuses_writes_and_goes_on_reading(redis_read_model: ReadModelUnderTest) -> None:
    read_model = redis_read_model.open(script_rows=40)
    held = held_of(60)
    assert await read_model.write([whole(held)]) == []
    offset = held.entity.state.offset
    before = await read_model.read(TOURNAMENT, RankingsQuery())
    slots = held.apply([item_of(offset + 1, score(2, 99_000, 70))])
    delta = delta_of(held.entity, slots, offset)
    with memory_of(redis_read_model.redis, "1"):
        for refused in ([delta], [whole(held)], [whole(held_of(5))._replace(tournament_id=8)]):
            with pytest.raises(ReadModelFullError, match="no memory left") as error:
                await read_model.write(refused)
            assert error.value.failed == {d.tournament_id for d in refused}
        assert read_model.refused_for_memory == 3
        assert await read_model.read(TOURNAMENT, RankingsQuery()) == before
        position = await read_model.positions({TOURNAMENT: EPOCH, 8: EPOCH})
        held_now = position[TOURNAMENT]
        assert held_now is not None
        assert held_now.offset == offset
        assert position[8] is None
    assert await read_model.write([delta]) == []
    await held.compare(read_model, [1, 2, 60])


async def test_nobody_listens_where_redis_should_be() -> None:
    async with opened(RedisConfig((f"redis://127.0.0.1:{free_ports(1)}",))) as read_model:
        began = calm_s()
        with pytest.raises(ReadModelUnavailableError):
            await read_model.write([whole(held_of(3))])
        with pytest.raises(ReadModelUnavailableError):
            await read_model.read(TOURNAMENT, RankingsQuery())
        assert await read_model.positions({TOURNAMENT: EPOCH}) == {}
        assert calm_s() - began < 1


async def test_a_redis_that_hangs_fails_reads_in_time(single_redis: RunningRedis) -> None:
    single_redis.empty()
    async with opened(single_redis.config()) as read_model:
        held = held_of(3)
        assert await read_model.write([whole(held)]) == []
        with single_redis.stopped(single_redis.ports[0]):
            for within_s in (2.0, 0.9):  # the first cost a timeout of 1 s, the others none
                began = calm_s()
                reads: list[Any] = [read_model.read(TOURNAMENT, ViewQuery()) for _ in range(50)]
                answers = await asyncio.gather(*reads, return_exceptions=True)
                assert all(isinstance(answer, ReadModelUnavailableError) for answer in answers)
                assert calm_s() - began < within_s
        await asyncio.sleep(1)
        await held.compare(read_model, [1, 2, 3])


class Keeper:
    """The read models of some tournaments over a real Redis, kept in real time, with scores that come all along."""

    def __init__(self, read_model: RedisReadModel, count: int = 40) -> None:
        self.read_model = read_model
        self.writer = ReadModelWriter(
            read_model, lambda: time.monotonic_ns() // 1_000_000, ReadModelWriterConfig(interval_ms=50)
        )
        self.held = [_renamed(held_of(30), i) for i in range(1, count + 1)]
        self._n = 0
        self._running = asyncio.create_task(self._run())
        for held in self.held:
            self.writer.note(Change(held.entity, top=True))

    async def _run(self) -> None:
        while True:
            self.score(self.held[self._n % 7])  # the others are idle
            await self.writer.round_due()
            await asyncio.sleep(0.01)

    def score(self, held: Held) -> None:
        """One more score in this tournament."""
        self._n += 1
        user = 1 + self._n % 30
        held.apply([item_of(held.entity.state.offset + 1, score(user, self._n * 10, 1000 + self._n))])
        self.writer.note(Change(held.entity, {held.entity.state.members.slot(user): user}))

    async def right_within(self, within_s: float, since_s: float | None = None) -> float:
        """How long until every read model says what its owner says; scores come meanwhile. Counted from now, or from an earlier `calm_s`."""
        began = calm_s() if since_s is None else since_s
        while True:
            behind = [held for held in self.held if not await self._is_right(held)]
            if not behind:
                return calm_s() - began
            assert calm_s() - began < within_s, f"{len(behind)} of {len(self.held)} read models are not right"
            await asyncio.sleep(0.05)

    async def _is_right(self, held: Held) -> bool:
        tournament_id, entity = held.entity.state.tournament_id, held.entity
        try:
            found = await self.read_model.read(tournament_id, RankingsQuery())
        except ReadModelUnavailableError:
            return False
        # what changes all along is compared once it holds still; here it must be of this owner and a moment behind at most
        if found is None or found.epoch != entity.epoch:
            return False
        expected = await held.reads.read(3, tournament_id, RankingsQuery())
        recent = abs(int(found.etag.split("-")[1], 16) - entity.state.offset) < 100
        return found == expected or (held in self.held[:7] and recent)

    async def stop(self) -> None:
        """Ends the scores, sends the rest, and compares everything to the byte."""
        self._running.cancel()
        await asyncio.wait({self._running})
        for _ in range(3):
            self.writer._next_ms = self.writer._next_check_ms = 0
            await self.writer.round_due()
        assert not self.writer.waiting
        for held in self.held:
            await held.compare(self.read_model, [1, 15, 30], held.entity.state.tournament_id)


def _renamed(held: Held, tournament_id: int) -> Held:
    state: Tournament = held.entity.state
    state.tournament_id = tournament_id
    return Held(state)


async def test_a_wiped_redis_is_right_again_within_five_seconds(redis_read_model: ReadModelUnderTest) -> None:
    keeper = Keeper(redis_read_model.open())
    await keeper.right_within(2)
    for port in redis_read_model.redis.primaries():
        redis_read_model.redis.ask("FLUSHALL", port=port)
    await keeper.right_within(RIGHT_S)
    await keeper.stop()
    assert keeper.writer.failures == 0


async def test_a_redis_restored_from_an_old_copy_is_right_again(single_redis: RunningRedis) -> None:
    """Its append-only file of earlier is put back, and it starts on that."""
    single_redis.empty()
    async with opened(single_redis.config()) as read_model:
        keeper = Keeper(read_model)
        await keeper.right_within(2)
        await asyncio.sleep(1.2)  # its file is written each second
        backups = single_redis.back_up(single_redis.ports)
        for held in keeper.held:
            keeper.score(held)  # also those that are idle afterwards: nothing but comparing tells that they fell back
        await asyncio.sleep(1)
        single_redis.restore(backups)
        await keeper.right_within(RIGHT_S)
        await keeper.stop()
        assert keeper.writer.repaired >= 33


async def test_a_shard_restored_from_an_old_copy_is_right_again(clustered_redis: RunningRedis) -> None:
    """Primary and replica together, so that no other node has the newer one."""
    clustered_redis.empty()
    async with opened(clustered_redis.config()) as read_model:
        keeper = Keeper(read_model)
        await keeper.right_within(2)
        await asyncio.sleep(1.2)
        primary = clustered_redis.primaries()[0]
        backups = clustered_redis.back_up([primary, clustered_redis.replica_of(primary)])
        for held in keeper.held:
            keeper.score(held)
        await asyncio.sleep(1)
        clustered_redis.restore(backups)
        await keeper.right_within(RIGHT_S)
        await keeper.stop()
        assert keeper.writer.repaired > 0
    clustered_redis.empty()


async def test_a_redis_killed_and_started_again_is_right_again(single_redis: RunningRedis) -> None:
    single_redis.empty()
    async with opened(single_redis.config()) as read_model:
        keeper = Keeper(read_model)
        await keeper.right_within(2)
        single_redis.kill(single_redis.ports[0])
        await asyncio.sleep(1)
        assert keeper.writer.failures > 0
        single_redis.server.start(single_redis.directory, single_redis.first_port)
        await keeper.right_within(RIGHT_S)
        await keeper.stop()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_failover_is_right_again_and_the_other_shards_never_notice(
    clustered_redis: RunningRedis, sign: signal.Signals
) -> None:
    """A primary is killed, so that connections are refused; or it hangs, so that they are open and nothing is answered."""
    clustered_redis.empty()
    async with opened(clustered_redis.config()) as read_model:
        keeper = Keeper(read_model)
        await keeper.right_within(2)
        dead = clustered_redis.primaries()[0]
        others = [h for h in keeper.held if _port(read_model, h.entity) != dead]
        assert 0 < len(others) < len(keeper.held)
        wholes = keeper.writer.wholes
        pid = clustered_redis.pid_of(dead)
        os.kill(pid, sign)
        struck_s, struck_calm_s = time.monotonic(), calm_s()
        try:
            for held in others:
                assert await read_model.read(held.entity.state.tournament_id, ViewQuery()) is not None
            assert calm_s() - struck_calm_s < 0.9  # a timeout takes 1 s
            await keeper.right_within(RIGHT_S, struck_calm_s)  # the replica takes over after some 2 s
            assert time.monotonic() - struck_s > 0.9, "there was no failover"
        finally:
            if sign == signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)
        await keeper.right_within(RIGHT_S)  # also once the old primary is back, which does not know yet that it is none
        await keeper.stop()
        assert keeper.writer.wholes - wholes <= 3 * (len(keeper.held) - len(others))
    clustered_redis.empty()


async def test_a_short_hang_without_a_failover_is_right_again(clustered_redis: RunningRedis) -> None:
    clustered_redis.empty()
    async with opened(clustered_redis.config(timeout_ms=200, connect_timeout_ms=200)) as read_model:
        keeper = Keeper(read_model)
        await keeper.right_within(2)
        primary = _port(read_model, keeper.held[0].entity)  # which has scores all along
        with clustered_redis.stopped(primary):
            with pytest.raises(ReadModelUnavailableError):
                await read_model.read(keeper.held[0].entity.state.tournament_id, ViewQuery())
            await asyncio.sleep(0.3)
        await keeper.right_within(2)
        await keeper.stop()
        assert primary in clustered_redis.primaries()


def _port(read_model: RedisReadModel, entity: Entity) -> int:
    address = read_model._nodes.address_of(f"tournament:{{{entity.state.tournament_id}}}:state")
    assert address is not None
    return address[1]


async def test_scripts_that_redis_forgot_are_sent_again(redis_read_model: ReadModelUnderTest) -> None:
    read_model = redis_read_model.open()
    held = held_of(3)
    assert await read_model.write([whole(held)]) == []
    for port in redis_read_model.redis.ports:
        redis_read_model.redis.ask("SCRIPT", "FLUSH", port=port)
    deltas: list[ReadModelDelta] = [whole(held)._replace(tournament_id=i) for i in range(1, 20)]
    assert await read_model.write(deltas) == []
    await held.compare(read_model, [1, 2, 3])


@pytest.mark.parametrize("urls", [("http://user:secret@127.0.0.1:1",), ()])
def test_what_is_no_redis_is_refused_without_its_password(urls: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="Redis") as error:
        RedisReadModel(RedisConfig(urls))
    assert "secret" not in str(error.value)
