"""Checkpoints on a store of which a part is away: each partition is saved by itself, and nothing says more than was saved."""

from __future__ import annotations

import pytest

from actors.domain.codec import decode_snapshot
from actors.domain.delivery import ControlItem
from actors.domain.fold import apply
from actors.domain.messages import Create, Join, Spec
from actors.owner.change import Change
from actors.owner.checkpoint import checkpointer
from actors.owner.checkpoint.checkpointer import RETRY_MS, Checkpointer
from actors.owner.entity import Entity, Scope
from storage.ports import Checkpoint, RecordsUnavailableError
from storage.records.sql.checkpoint_writer import partition_of_checkpoint
from tests.support.histories import BEGIN_MS, SALT
from tests.support.memory_records import MemoryRecords

SPEC = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS - 1, ends_ms=BEGIN_MS + 10**9)
HEALTHY, LOST = 0, 1  # partitions


class Partitioned(MemoryRecords):
    """A store that does not take the partitions that are `away`, as if their shard did not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[int] = set()
        self.saves: list[tuple[int, list[int]]] = []

    async def save(self, checkpoint: Checkpoint) -> None:
        partition = partition_of_checkpoint(checkpoint)
        self.saves.append((partition, [row.tournament_id for row in checkpoint.tournaments]))
        if partition in self.away:
            raise RecordsUnavailableError("a shard is away")
        await super().save(checkpoint)


class Bench:
    """A checkpointer over such a store, its clock, and what it told."""

    def __init__(self) -> None:
        self.records = Partitioned()
        self.now_ms = BEGIN_MS
        self.saved: list[tuple[int, int]] = []
        self.unsaved: list[int] = []
        self.scopes = {p: Scope(p, 0, epoch=0, watermark=50, durable=0) for p in (HEALTHY, LOST)}
        self.checkpointer = Checkpointer(
            self.records, lambda: self.now_ms, 1000, 30_000, self._saved, self._unsaved
        )  # fmt: skip

    async def _saved(self, entity: Entity, offset: int) -> None:
        self.saved.append((entity.state.tournament_id, offset))

    def _unsaved(self, entity: Entity) -> None:
        self.unsaved.append(entity.state.tournament_id)

    def entity(self, number: int, partition: int, *, alone: bool = False, urgent: bool = False) -> Entity:
        """A tournament that was created and joined, at offset 21; `alone`: in a scope of its own."""
        state = None
        create = Create(
            command_id="c", creator="1", created_ms=BEGIN_MS, spec=SPEC, dedicated=False, salt=SALT, request_digest="d"
        )  # fmt: skip
        for offset, message in ((20, create), (21, Join(command_id="j", user_id="5"))):
            state, _ = apply(state, number, partition, ControlItem(offset, BEGIN_MS, number, message))
        assert state is not None
        scope = self.scopes[partition]
        if alone:
            scope = Scope(partition, number, epoch=0, watermark=30, durable=0)
        entity = Entity(state, scope)
        self.checkpointer.note(Change(entity, {0: 5}, urgent=urgent))
        return entity

    async def projected(self, partition: int, tournament: int = 0) -> int:
        scope = f"tournament-{tournament}" if tournament else f"partition-{partition}"
        return (await self.records.projected(partition, [scope]))[scope]

    async def due(self) -> bool:
        return await self.checkpointer.round_due(self.scopes.values())

    async def round(self) -> bool:
        return await self.checkpointer.full_round(self.scopes.values())


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def joined(records: MemoryRecords, number: int) -> int | None:
    stored = next(iter(await records.snapshots(number)), None)
    return None if stored is None else decode_snapshot(stored.data).members.joined


async def test_a_partition_that_is_away_is_missed_alone(bench: Bench) -> None:
    """Whichever comes first in the round; what was not taken is put back whole."""
    lost, healthy = bench.entity(11, LOST), bench.entity(10, HEALTHY)
    bench.records.away = {LOST}
    assert not await bench.round()
    assert (bench.saved, bench.unsaved) == ([(10, 21)], [11])
    assert (healthy.durable_offset, lost.durable_offset) == (21, -1)
    assert (bench.checkpointer.dirty, bench.checkpointer.failures, bench.checkpointer.saved) == (1, 1, 1)
    assert {p: scope.durable for p, scope in bench.scopes.items()} == {HEALTHY: 50, LOST: 0}
    assert (await bench.projected(HEALTHY), await bench.projected(LOST)) == (50, -1)
    bench.records.away.clear()
    assert await bench.round()
    assert (await bench.projected(LOST), bench.scopes[LOST].durable) == (50, 50)
    assert bench.records._participants[11, 5].active, "the row that had changed was not forgotten"


async def test_one_transaction_is_about_one_partition_and_the_last_raises_its_offsets(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointer, "TRANSACTION_TOURNAMENTS", 2)
    for number in range(20, 25):
        bench.entity(number, number % 2)
    assert await bench.round()
    assert bench.records.saves == [(0, [20, 22]), (0, [24]), (1, [21, 23])]
    assert [await bench.projected(partition) for partition in (0, 1)] == [50, 50]


async def test_no_batch_raises_an_offset_past_what_another_batch_lacks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor when the shard is back before the round is over."""
    monkeypatch.setattr(checkpointer, "TRANSACTION_TOURNAMENTS", 1)
    for number in (11, 13):
        bench.entity(number, LOST)
    bench.records.away = {LOST}
    save = bench.records.save

    async def back_soon(checkpoint: Checkpoint) -> None:
        try:
            await save(checkpoint)
        finally:
            bench.records.away.clear()

    monkeypatch.setattr(bench.records, "save", back_soon)
    assert not await bench.round()
    assert (await bench.projected(LOST), bench.scopes[LOST].durable) == (-1, 0)


async def test_one_alone_is_durable_with_any_save_of_it(bench: Bench) -> None:
    alone, lost = bench.entity(10, HEALTHY, alone=True), bench.entity(11, LOST, alone=True)
    bench.records.away = {LOST}
    assert not await bench.checkpointer.full_round([alone.scope, lost.scope])
    assert (alone.scope.durable, lost.scope.durable) == (30, 0)
    assert (await bench.projected(HEALTHY, 10), await bench.projected(LOST, 11)) == (30, -1)


async def test_urgent_ones_of_a_healthy_partition_never_wait_for_the_others(bench: Bench) -> None:
    """Those of the one that is away are tried again, all at once, a second later and every second."""
    bench.records.away = {LOST}
    bench.entity(11, LOST, urgent=True)
    bench.entity(10, HEALTHY, urgent=True)
    await bench.due()
    assert bench.saved == [(10, 21)]
    bench.saved.clear()
    for number in range(100, 156, 2):
        bench.entity(number, HEALTHY, urgent=True)
        await bench.due()
        assert bench.saved[-1] == (number, 21), "in the very next turn"
        bench.now_ms += 100
    tries = sum(partition == LOST for partition, _ in bench.records.saves)
    assert 3 <= tries <= 4, "one a second"
    assert bench.checkpointer.urgent
    bench.records.away.clear()
    bench.now_ms += RETRY_MS
    await bench.due()
    assert await joined(bench.records, 11) == 1
    assert not bench.checkpointer.urgent


async def test_a_stream_of_lost_ones_does_not_keep_the_first_from_being_tried_again(bench: Bench) -> None:
    bench.records.away = {LOST}
    bench.checkpointer._next_ms = BEGIN_MS + 30_000  # no full round
    bench.entity(11, LOST, urgent=True)
    for number in range(101, 121):
        await bench.due()
        bench.entity(number, LOST, urgent=True)
        bench.now_ms += 100
    tries = [numbers for _, numbers in bench.records.saves]
    assert len(tries) == 2
    assert 11 in tries[1]
    assert len(tries[1]) == 11


async def test_a_round_that_was_taken_whole_is_followed_by_a_pause(bench: Bench) -> None:
    bench.entity(10, HEALTHY)
    assert await bench.due()
    bench.entity(10, HEALTHY)
    bench.now_ms += 999
    assert not await bench.due()
    bench.now_ms += 1
    assert await bench.due()


async def test_one_that_is_gone_is_not_tried_again(bench: Bench) -> None:
    bench.records.away = {LOST}
    bench.entity(11, LOST, urgent=True)
    await bench.due()
    bench.checkpointer.forget(11)
    assert not bench.checkpointer.urgent
    assert bench.checkpointer.dirty == 0
