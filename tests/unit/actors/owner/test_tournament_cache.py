"""What an owner holds in memory: where a tournament is found, what is loaded, and what is forgotten."""

from __future__ import annotations

import logging

import pytest

from actors.domain.codec import encode_snapshot
from actors.domain.messages import Cancel
from actors.domain.tournament import Tournament
from actors.owner.entity import Entity, Scope
from actors.owner.tournament_cache import LINGER_FACTOR, OVER_LINGER_MS, TournamentCache
from storage.ports import OwnerMovedError, RecordsUnavailableError, StoredSnapshot
from tests.support.histories import BEGIN_MS, PARTITION, Step, create_of, fold, items_of
from tests.support.memory_records import MemoryRecords
from tests.unit.actors.owner.test_owner import SPEC


def tournament(number: int, *, over: bool = False) -> Tournament:
    steps = [Step(BEGIN_MS, create_of(SPEC)), *([Step(BEGIN_MS, Cancel(command_id="x"))] if over else [])]
    state = fold(items_of(steps))
    state.tournament_id = number
    return state


class Stored(MemoryRecords):
    """Records that hold these snapshots, newest first. `away`: the shard is; its replica has what is `settled`."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[int, list[StoredSnapshot]] = {}
        self.away = False
        self.settled = True
        self.read: list[int] = []

    def keep(self, state: Tournament, *, damaged: bool = False) -> None:
        data = encode_snapshot(state)
        if damaged:
            data = data[:-1] + bytes([data[-1] ^ 1])
        stored = StoredSnapshot(state.tournament_id, state.partition, state.offset, data)
        self.stored.setdefault(state.tournament_id, []).insert(0, stored)

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        self.read.append(tournament_id)
        if self.away:
            raise RecordsUnavailableError("away")
        return self.stored.get(tournament_id, [])

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        if not self.settled:
            raise RecordsUnavailableError("no replica")
        return self.stored.get(tournament_id, [])


class Bench:
    """A cache that holds the shared scope of a partition, and a clock that the test moves."""

    def __init__(self, over_kept: int = 2) -> None:
        self.now_ms = BEGIN_MS
        self.records = Stored()
        self.cache = TournamentCache(self.records, lambda: self.now_ms, over_kept)
        self.shared = Scope(PARTITION, 0, epoch=0, watermark=0, durable=-1)
        self.cache.scopes[PARTITION, 0] = self.shared

    def place(self, number: int, *, over: bool = False, durable: bool = True, scope: Scope | None = None) -> Entity:
        state = tournament(number, over=over)
        entity = Entity(state, scope or self.shared, durable_offset=state.offset if durable else -1)
        self.cache.place(entity)
        return entity

    def over(self) -> list[int]:
        return [e.state.tournament_id for e in self.cache.of_scope(self.shared) if e.state.over]


async def test_what_is_in_memory_is_not_loaded() -> None:
    bench = Bench()
    active, over = bench.place(1), bench.place(2, over=True)
    assert await bench.cache.find(1, bench.shared) is active
    assert await bench.cache.find(2, bench.shared) is over
    assert bench.records.read == []
    assert list(bench.cache.active) == [1], "what is over is not looked after"


async def test_one_that_is_over_is_loaded_once() -> None:
    bench = Bench()
    bench.records.keep(tournament(5, over=True))
    found = await bench.cache.find(5, bench.shared)
    assert found is not None
    assert (found.scope, found.durable_offset) == (bench.shared, found.state.offset)
    assert await bench.cache.find(5, bench.shared) is found
    assert bench.records.read == [5]
    assert await bench.cache.find(6, bench.shared) is None


async def test_an_active_one_that_is_not_held_is_another_owner_s() -> None:
    bench = Bench()
    bench.records.keep(tournament(5))
    with pytest.raises(OwnerMovedError):
        await bench.cache.find(5, bench.shared)
    assert bench.cache.at_hand(5) is None


async def test_a_damaged_snapshot_is_passed_over_and_the_entity_says_so(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    older, newer = tournament(5), tournament(5, over=True)
    bench.records.keep(older)
    bench.records.keep(newer, damaged=True)
    entity = await bench.cache.load(5, bench.shared)
    assert entity is not None
    assert (entity.state.offset, entity.rewound) == (older.offset, True)
    bench.records.stored[5].pop()
    with caplog.at_level(logging.CRITICAL):
        assert await bench.cache.load(5, bench.shared) is None
    assert "tournament 5 has no readable snapshot" in caplog.text


async def test_while_the_shard_is_away_only_what_cannot_change_any_more_is_found() -> None:
    bench = Bench()
    bench.records.away = True
    bench.records.keep(tournament(5, over=True))
    bench.records.keep(tournament(6))
    found = await bench.cache.find(5, bench.shared)
    assert found is not None
    assert found.state.over
    assert await bench.cache.find(7, bench.shared, created=True) is None, "the create is about to make it"
    for number, created in ((6, False), (6, True), (7, False)):
        with pytest.raises(RecordsUnavailableError):
            await bench.cache.find(number, bench.shared, created=created)
    bench.records.keep(tournament(8, over=True))
    bench.records.settled = False
    with pytest.raises(RecordsUnavailableError):
        await bench.cache.find(8, bench.shared, created=True)


async def test_of_those_that_are_over_the_least_recently_used_goes_first() -> None:
    bench = Bench(over_kept=2)
    for number in (1, 2):
        bench.place(number, over=True)
    bench.now_ms += OVER_LINGER_MS
    assert bench.cache.at_hand(1) is not None
    bench.place(3, over=True)
    assert bench.over() == [1, 3]
    bench.place(9)
    assert bench.over() == [1, 3], "active ones are beside the bound"


async def test_one_that_is_not_durable_stays_and_a_recent_one_stays_a_while_within_a_bound() -> None:
    bench = Bench(over_kept=2)
    bench.place(1, over=True, durable=False)
    for number in range(2, 2 + 2 * LINGER_FACTOR):
        bench.place(number, over=True)
    assert len(bench.over()) == 2 * LINGER_FACTOR, "more than are kept, since they are over just now"
    assert bench.over()[0] == 1
    bench.now_ms += OVER_LINGER_MS
    bench.place(1000, over=True)
    assert bench.over() == [1, 1000]


async def test_a_dropped_scope_takes_all_its_tournaments_and_no_other() -> None:
    bench = Bench()
    own = Scope(PARTITION, 4, epoch=0, watermark=0, durable=-1)
    bench.cache.scopes[PARTITION, 4] = own
    bench.place(1)
    bench.place(2, over=True)
    bench.place(4, scope=own)
    assert bench.cache.scope_of(PARTITION, 4) is own
    assert bench.cache.scope_of(PARTITION, 1) is bench.shared
    assert sorted(bench.cache.drop((PARTITION, 0))) == [1, 2]
    assert [bench.cache.at_hand(number) is not None for number in (1, 2, 4)] == [False, False, True]
    assert bench.cache.scope_of(PARTITION, 1) is None
    assert list(bench.cache.drop((PARTITION, 0))) == []
