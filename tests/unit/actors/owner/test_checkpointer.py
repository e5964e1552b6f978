"""Checkpoints on a store of which a part is away: what lies elsewhere is saved, and nothing says more than was saved."""

from __future__ import annotations

import pytest

from actors.domain.codec import decode_snapshot
from actors.domain.delivery import ControlItem
from actors.domain.fold import apply
from actors.domain.messages import Create, Join, Spec
from actors.owner import checkpointer
from actors.owner.change import Change
from actors.owner.checkpointer import RETRY_MS, Checkpointer
from actors.owner.entity import Entity, Scope
from storage.ports import Checkpoint, RecordsUnavailableError
from tests.support.histories import BEGIN_MS, SALT
from tests.support.memory_records import MemoryRecords

SPEC = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=BEGIN_MS + 10**9)
HEALTHY, LOST, OTHERS = 2, 1, 3  # tournaments; odd ones lie on the shard that goes away
SHARED = "partition-0"


class TwoShards(MemoryRecords):
    """Even tournaments lie on one shard, odd ones on the other, which may be away; `catalog_away`: nobody takes shared offsets."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.all_away = False
        self.catalog_away = False
        self.saves: list[list[int]] = []

    async def save(self, checkpoint: Checkpoint) -> None:
        self.saves.append([row.tournament_id for row in checkpoint.tournaments])
        if self.all_away:
            raise RecordsUnavailableError("all away")
        scopes = {int(s.removeprefix("tournament-")) for s, _, _ in checkpoint.projected if s.startswith("tournament-")}
        named = {row.tournament_id for row in checkpoint.tournaments} | scopes
        lost = frozenset(number for number in named if self.away and number % 2)
        shared = [each for each in checkpoint.projected if each[0].startswith("partition-")]
        rows = [[row for row in rows if row.tournament_id not in lost] for rows in checkpoint[:4]]  # type: ignore[attr-defined]
        own = [each for each in checkpoint.projected if each not in shared and int(each[0][11:]) not in lost]
        await super().save(Checkpoint(*rows, own))  # type: ignore[arg-type]
        if lost or (shared and self.catalog_away):
            raise RecordsUnavailableError("a shard is away", lost)
        await super().save(Checkpoint([], [], [], [], shared))


class Bench:
    """A checkpointer over such a store, its clock, and what it told."""

    def __init__(self) -> None:
        self.records = TwoShards()
        self.now_ms = BEGIN_MS
        self.saved: list[tuple[int, int]] = []
        self.unsaved: list[int] = []
        self.scope = Scope(0, 0, epoch=0, watermark=50, durable=0)
        self.checkpointer = Checkpointer(
            self.records, lambda: self.now_ms, 1000, 30_000, self._saved, self._unsaved  # type: ignore[arg-type]
        )  # fmt: skip

    async def _saved(self, entity: Entity, offset: int) -> None:
        self.saved.append((entity.state.tournament_id, offset))

    def _unsaved(self, entity: Entity) -> None:
        self.unsaved.append(entity.state.tournament_id)

    def entity(self, number: int, *, scope: Scope | None = None, urgent: bool = False) -> Entity:
        """A tournament that was created and joined, at offset 21."""
        state = None
        create = Create(
            command_id="c", creator="1", created_ms=BEGIN_MS, spec=SPEC, dedicated=False, salt=SALT, request_digest="d"
        )  # fmt: skip
        for offset, message in ((20, create), (21, Join(command_id="j", user_id="5"))):
            state, _ = apply(state, number, 0, ControlItem(offset, BEGIN_MS, number, message))
        assert state is not None
        entity = Entity(state, scope or self.scope)
        self.checkpointer.note(Change(entity, {0: 5}, urgent=urgent))
        return entity

    async def projected(self, scope: str = SHARED) -> int:
        return (await self.records.projected([scope]))[scope]

    async def due(self) -> bool:
        return await self.checkpointer.round_due([self.scope])


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def joined(records: MemoryRecords, number: int) -> int | None:
    stored = await records.snapshot(number)
    return None if stored is None else decode_snapshot(stored.data).members.joined


async def test_what_the_store_took_is_saved_and_the_rest_is_put_back(bench: Bench) -> None:
    healthy, lost = bench.entity(HEALTHY), bench.entity(LOST)
    bench.records.away = True
    assert not await bench.checkpointer.full_round([bench.scope])
    assert (bench.saved, bench.unsaved) == ([(HEALTHY, 21)], [LOST])
    assert (healthy.durable_offset, lost.durable_offset) == (21, -1)
    assert (bench.checkpointer.dirty, bench.checkpointer.failures, bench.checkpointer.saved) == (1, 1, 1)
    assert (await bench.projected(), bench.scope.durable) == (-1, 0), "it stands for both"
    bench.records.away = False
    assert await bench.checkpointer.full_round([bench.scope])
    assert (await bench.projected(), bench.scope.durable) == (50, 50)
    assert bench.records._participants[LOST, 5].active, "the row that had changed was not forgotten"


@pytest.mark.parametrize("lost_first", [False, True])
async def test_no_batch_raises_an_offset_past_what_another_batch_lacks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, lost_first: bool
) -> None:
    """Nor when the shard is back before the round is over."""
    monkeypatch.setattr(checkpointer, "TRANSACTION_TOURNAMENTS", 1)
    for number in (LOST, HEALTHY) if lost_first else (HEALTHY, LOST):
        bench.entity(number)
    bench.records.away = True
    back = bench.records.save

    async def save(checkpoint: Checkpoint) -> None:
        try:
            await back(checkpoint)
        finally:
            bench.records.away = not checkpoint.tournaments or checkpoint.tournaments[0].tournament_id != LOST

    monkeypatch.setattr(bench.records, "save", save)
    assert not await bench.checkpointer.full_round([bench.scope])
    assert bench.saved == [(HEALTHY, 21)], "one batch does not end the round for the others"
    assert (await bench.projected(), bench.scope.durable) == (-1, 0)


async def test_scopes_that_lack_nothing_go_on(bench: Bench) -> None:
    whole = Scope(7, 0, epoch=0, watermark=60, durable=0)
    alone = Scope(0, OTHERS, epoch=0, watermark=30, durable=0)
    also_alone = Scope(0, HEALTHY + 2, epoch=0, watermark=31, durable=0)
    bench.entity(HEALTHY, scope=whole)
    bench.entity(LOST)
    bench.entity(OTHERS, scope=alone)
    bench.entity(HEALTHY + 2, scope=also_alone)
    bench.records.away = True
    assert not await bench.checkpointer.full_round([bench.scope, whole, alone, also_alone])
    assert [scope.durable for scope in (bench.scope, whole, alone, also_alone)] == [0, 60, 0, 31]
    assert await bench.projected("partition-7") == 60
    assert await bench.projected(f"tournament-{OTHERS}") == -1
    assert await bench.projected(f"tournament-{HEALTHY + 2}") == 31


async def test_tournaments_are_saved_without_the_shard_of_the_offsets(bench: Bench) -> None:
    bench.entity(HEALTHY)
    bench.records.catalog_away = True
    assert not await bench.checkpointer.full_round([bench.scope])
    assert (bench.saved, bench.unsaved, bench.checkpointer.dirty) == ([(HEALTHY, 21)], [], 0)
    assert bench.scope.durable == 0
    bench.records.catalog_away = False
    assert await bench.checkpointer.full_round([bench.scope])
    assert bench.scope.durable == 50


async def test_urgent_ones_of_a_healthy_shard_never_wait_for_the_others(bench: Bench) -> None:
    """Those of the shard that is away are tried again, all at once, a second later and every second."""
    bench.records.away = True
    bench.entity(LOST, urgent=True)
    bench.entity(HEALTHY, urgent=True)
    await bench.due()
    assert bench.saved == [(HEALTHY, 21)]
    bench.saved.clear()
    for number in range(4, 60, 2):
        bench.entity(number, urgent=True)
        await bench.due()
        assert bench.saved[-1] == (number, 21), "in the very next turn"
        bench.now_ms += 100
    tries = sum(LOST in saved for saved in bench.records.saves)
    assert 3 <= tries <= 8, "about two a second: one urgent, one of the full rounds"
    assert bench.checkpointer.urgent
    bench.records.away = False
    bench.now_ms += RETRY_MS
    await bench.due()
    assert await joined(bench.records, LOST) == 1
    bench.now_ms += 5 * RETRY_MS
    await bench.due()
    assert not bench.checkpointer.urgent
    assert bench.scope.durable == 50


async def test_a_stream_of_lost_ones_does_not_keep_the_first_from_being_tried_again(bench: Bench) -> None:
    bench.records.away = True
    bench.checkpointer._next_ms = BEGIN_MS + 10**6  # no full round
    bench.entity(LOST, urgent=True)
    for number in range(11, 51, 2):
        await bench.due()
        bench.entity(number, urgent=True)
        bench.now_ms += 100
    assert sum(LOST in saved for saved in bench.records.saves) >= 2


async def test_where_nothing_is_known_nothing_is_taken_for_saved(bench: Bench) -> None:
    bench.entity(HEALTHY, urgent=True)
    bench.records.all_away = True
    assert not await bench.due()
    assert (bench.saved, bench.unsaved, bench.checkpointer.dirty) == ([], [HEALTHY], 1)
    assert bench.checkpointer.urgent
    bench.records.all_away = False
    bench.now_ms += RETRY_MS
    assert await bench.due()
    assert (bench.saved, bench.scope.durable) == ([(HEALTHY, 21)], 50)


async def test_one_that_is_gone_is_not_tried_again(bench: Bench) -> None:
    bench.records.away = True
    bench.entity(LOST, urgent=True)
    await bench.due()
    bench.checkpointer.forget(LOST)
    assert not bench.checkpointer.urgent
    assert bench.checkpointer.dirty == 0
