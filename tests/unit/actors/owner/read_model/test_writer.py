"""The owner's side of read models: over one in memory, no server."""

from __future__ import annotations

import asyncio

import msgspec

from actors.domain.messages import End, Join, Message, Reopen, Spec, Tick
from actors.domain.read_model_rows import rows_of
from actors.owner.change import Change
from actors.owner.entity import Entity
from actors.owner.read_model.writer import FAILED_PAUSE_MS, ReadModelWriter, ReadModelWriterConfig
from storage.ports import (
    ReadModelPosition,
)
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT, Score, Step, create_of, fold, item_of, items_of
from tests.support.memory_read_model import MemoryReadModel
from tests.support.memory_records import MemoryRecords
from tests.support.read_model_owner import Held
from tests.unit.actors.owner.test_owner import SPEC, create, deliver, items, owner_of, step


class Kept:
    """The read models of a few tournaments over `MemoryReadModel`, with a clock that the test moves."""

    def __init__(self, count: int = 1, users: int = 3, spec: Spec = SPEC, **config: int) -> None:
        self.now_ms = 1_000_000
        self.store = MemoryReadModel()
        self.writer = ReadModelWriter(self.store, lambda: self.now_ms, ReadModelWriterConfig(**config))
        self.entities: dict[int, Entity] = {}
        for tournament_id in range(1, count + 1):
            joins = [Step(BEGIN_MS, Join(command_id=f"j{u}", user_id=str(u))) for u in range(1, users + 1)]
            state = fold(items_of([Step(BEGIN_MS, create_of(spec)), *joins]))
            state.tournament_id = tournament_id
            entity = self.entities[tournament_id] = Held(state).entity
            self.writer.note(Change(entity, top=True))

    def score(self, tournament_id: int, user: int, hundredths: int) -> None:
        entity = self.entities[tournament_id]
        offset = entity.state.offset + 1
        score = Score(user, f"s{offset}", hundredths)
        fold([item_of(offset, Step(BEGIN_MS, score))], entity.state)
        self.writer.note(Change(entity, {entity.state.members.slot(user): user}))

    def order(self, time_ms: int, message: Message) -> None:
        """A control record, or a tick, of tournament 1."""
        entity = self.entities[1]
        fold([item_of(entity.state.offset + 1, Step(time_ms, message))], entity.state)
        self.writer.note(Change(entity, top=True))

    def exact(self) -> bool:
        """Whether the rows of tournament 1 are the owner's to the byte."""
        entity = self.entities[1]
        rows = rows_of(entity.shown, range(len(entity.state.members)), entity.shown_previous_ranks)
        return self.store.rows[1] == {row.user_id: row.participant for row in rows}

    async def round(self, after_ms: int = FAILED_PAUSE_MS) -> bool:
        self.now_ms += after_ms
        return await self.writer.round_due()

    def right(self, tournament_id: int = 1) -> bool:
        """Whether the read model holds exactly what the entity says."""
        entity = self.entities[tournament_id]
        held = self.store.held.get(tournament_id)
        return held == (entity.epoch, entity.state.offset) and all(
            (b'"score":%d,' % (score // 100) in (self.store.rows[tournament_id][user] or b""))
            for user in range(1, len(entity.state.members) + 1)
            if (score := entity.state.ranking.score(entity.state.members.slot(user))) is not None
        )


async def test_the_first_is_whole_and_then_only_what_changed() -> None:
    kept = Kept()
    assert await kept.round()
    kept.score(1, 2, 500)
    kept.score(1, 2, 700)
    assert not await kept.round(after_ms=100)  # not yet
    assert await kept.round(after_ms=150)
    first, second = (write[0] for write in kept.store.writes)
    assert first.after is None
    assert len(first.rows) == 3
    assert second.after == first.offset
    assert [row.user_id for row in second.rows] == [2]
    assert kept.right()
    await kept.round()
    assert len(kept.store.writes) == 2  # nothing changed, nothing sent


async def test_a_refused_one_is_sent_whole() -> None:
    kept = Kept(2)
    await kept.round()
    kept.store.held[1] = ReadModelPosition(4, 1)
    kept.score(1, 1, 100)
    kept.score(2, 1, 100)
    await kept.round(250)
    await kept.round(250)
    assert kept.right(1)
    assert kept.right(2)
    assert [[d.after is None for d in write] for write in kept.store.writes] == [[True, True], [False, False], [True]]


async def test_wiped_and_fallen_back_read_models_are_right_again_within_five_seconds() -> None:
    kept = Kept(3)
    await kept.round()
    del kept.store.held[1]
    kept.store.held[2] = ReadModelPosition(5, 3)
    for _ in range(5):
        await kept.round()
    assert all(kept.right(i) for i in (1, 2, 3))
    assert kept.writer.repaired == 2


async def test_after_a_failure_only_those_that_failed_are_sent_whole_and_only_once_somebody_answers() -> None:
    kept = Kept(3)
    await kept.round()
    kept.store.away = {1}
    for i in (1, 2, 3):
        kept.score(i, 1, 300)
    await kept.round()
    assert kept.right(2)
    assert kept.right(3)
    writes = len(kept.store.writes)
    for _ in range(10):
        kept.score(1, 2, 400)
        kept.score(2, 2, 400)
        await kept.round()
    assert kept.right(2)
    assert all(d.tournament_id == 2 for write in kept.store.writes[writes:] for d in write)
    kept.store.away = None
    for _ in range(3):
        await kept.round()
    assert kept.right(1)
    assert kept.writer.failures == 1


async def test_those_for_which_nobody_answers_are_asked_for_soon_and_right_within_a_second_of_the_return() -> None:
    kept = Kept(3)
    await kept.round()
    kept.store.away = {1}
    kept.store.asked.clear()
    kept.store.lose(1)
    for _ in range(300):
        await kept.round(after_ms=20)
    rare = [ids for ids in kept.store.asked if 2 in ids]
    assert len(rare) <= 4  # 6 s: the others are compared as ever
    retries = [ids for ids in kept.store.asked if ids == [1]]
    assert 9 <= len(retries) <= 30
    kept.store.away = None
    for _ in range(30):
        await kept.round(after_ms=20)
    assert kept.right()
    kept.store.asked.clear()
    for _ in range(75):
        await kept.round(after_ms=20)
    assert len(kept.store.asked) <= 1  # at rest


async def test_while_nobody_answers_only_a_few_are_asked_for() -> None:
    kept = Kept(100, users=1, check_batch=10)
    await kept.round()
    kept.store.away = set(range(1, 101))
    for _ in range(150):
        await kept.round(after_ms=20)
    kept.store.asked.clear()
    for _ in range(100):
        await kept.round(after_ms=20)
    assert all(len(ids) <= 10 for ids in kept.store.asked)
    assert len(kept.store.asked) <= 11
    assert any(max(ids) > 90 > 10 > min(ids) for ids in kept.store.asked)
    kept.store.held.clear()
    kept.store.away = {5}  # as a cluster of which one shard is away still
    for _ in range(40):
        await kept.round(after_ms=20)
    assert all(kept.right(i) for i in range(1, 101) if i != 5)
    kept.store.away = None
    for _ in range(40):
        await kept.round(after_ms=20)
    assert kept.right(5)


async def test_after_a_failed_write_the_return_is_noticed_soon() -> None:
    kept = Kept(2)
    await kept.round()
    kept.store.away = {1}
    kept.score(1, 1, 300)
    await kept.round()
    kept.store.away = None
    for _ in range(16):
        await kept.round(after_ms=20)
    assert kept.right(1)


async def test_a_store_without_memory_is_sent_the_same_changes_again_not_everything() -> None:
    kept = Kept()
    await kept.round()
    kept.store.full = True
    for n in range(5):
        kept.score(1, 1 + n % 3, 1000 + 100 * n)
        await kept.round()
    assert not kept.right()
    kept.store.full = False
    await kept.round()
    assert kept.right()
    assert [d.after is None for write in kept.store.writes for d in write].count(True) == 1
    assert kept.writer.repaired == 0


async def test_what_changes_while_a_write_is_on_its_way_comes_with_the_next() -> None:
    kept = Kept()
    await kept.round()
    kept.store.gate.clear()
    kept.score(1, 1, 100)
    sending = asyncio.create_task(kept.round())
    await asyncio.sleep(0)
    kept.score(1, 2, 200)
    kept.store.gate.set()
    assert await sending
    assert not kept.right()
    await kept.round()
    assert kept.right()
    assert [len(d.rows) for write in kept.store.writes for d in write] == [3, 1, 1]


async def test_batches_are_bounded_and_a_large_one_goes_beside_the_others() -> None:
    kept = Kept(10, users=3, batch_tournaments=4, batch_rows=7)
    await kept.round()
    assert [len(write) for write in kept.store.writes] == [2, 2, 2, 2, 2]
    kept = Kept(2, users=1500, batch_rows=1000)
    kept.store.gate.clear()
    await kept.round()  # does not wait for it
    kept.store.gate.set()
    for _ in range(8):
        await asyncio.sleep(0)
        await kept.round()
    await asyncio.sleep(0)
    assert kept.right(1)
    assert kept.right(2)
    assert [len(d.rows) for write in kept.store.writes for d in write] == [1500, 1500]


async def test_large_ones_that_were_wiped_do_not_wait_as_those_that_changed() -> None:
    kept = Kept(3, users=1500, batch_rows=1000)

    async def right_after_ms() -> int:
        began = kept.now_ms
        while not all(kept.right(i) for i in (1, 2, 3)):
            assert kept.now_ms - began < 60_000
            kept.store.gate.clear()
            await kept.round(after_ms=20)
            await asyncio.sleep(0)
            if kept.writer._large is not None and not kept.writer._large.done():
                kept.now_ms += 500  # each takes so long
                kept.store.gate.set()
                await kept.writer._large
            kept.store.gate.set()
        return kept.now_ms - began

    assert await right_after_ms() > 3 * 500 + 2 * 4 * 500
    for i in (1, 2, 3):
        kept.store.lose(i)
    assert await right_after_ms() < 2000 + 3 * 500 + 2 * 500 + 500  # the comparison, the wholes, the rests between them


async def test_many_changes_do_not_wait_for_the_interval() -> None:
    kept = Kept(1, users=20, batch_rows=20)
    await kept.round()
    for user in range(1, 11):
        kept.score(1, user, 100)
    assert await kept.round(after_ms=1)
    assert kept.right()


async def test_new_keys_in_the_ranking_mean_the_whole() -> None:
    kept = Kept()
    kept.score(1, 1, 100)
    await kept.round()
    kept.entities[1].state.ranking._renumber()
    kept.score(1, 2, 100)
    await kept.round()
    assert kept.store.writes[-1][0].after is None


FREEZING = msgspec.structs.replace(SPEC, ends_ms=BEGIN_MS + 1000, freeze_ms=100)


async def frozen() -> Kept:
    """1, 2 and 3 with equal scores, and ranks before that nobody is shown any more: the table has just been frozen."""
    kept = Kept(spec=FREEZING)
    for user in (2, 3, 1):
        kept.score(1, user, 500)
    kept.entities[1].previous_ranks.update({0: 3, 1: 1})
    await kept.round()
    assert kept.exact()
    assert b'"previous_rank":3' in (kept.store.rows[1][1] or b"")
    kept.order(BEGIN_MS + 900, Tick())
    return kept


async def test_each_frozen_table_is_sent_whole_also_one_right_after_another() -> None:
    kept = await frozen()
    await kept.round()
    assert kept.exact()
    assert b'"previous_rank":null' in (kept.store.rows[1][1] or b"")
    kept.score(1, 3, 900)
    await kept.round()
    assert kept.exact()
    kept.order(BEGIN_MS + 1000, Tick())
    kept.order(BEGIN_MS + 1010, Reopen(command_id="r", ends_ms=BEGIN_MS + 1050))  # frozen anew at once
    await kept.round()
    assert kept.exact()
    assert b'"score":9,' in (kept.store.rows[1][3] or b"")


async def test_a_frozen_table_that_a_full_store_refused_is_sent_whole_once_there_is_room() -> None:
    kept = await frozen()
    kept.store.full = True
    await kept.round()
    kept.store.full = False
    await kept.round()
    assert kept.exact()


async def test_what_is_shown_follows_without_a_record() -> None:
    kept = Kept()
    await kept.round()
    kept.entities[1].live.seq += 1
    for _ in range(3):
        await kept.round()
    last = kept.store.writes[-1][0]
    assert (last.seq, last.after, len(last.rows)) == (1, last.offset, 0)


async def test_an_owner_keeps_read_models_from_its_claim_to_the_end() -> None:
    """Nothing before the scope has caught up; the end only once it is durable; then nobody keeps it any more."""
    now = [1_000_000]
    store = MemoryReadModel()
    owner = owner_of(MemoryRecords())
    owner.read_model = ReadModelWriter(store, lambda: now[0])

    async def round_due() -> None:
        now[0] += FAILED_PAUSE_MS
        await owner.read_model_due()

    await owner.adopt([(PARTITION, 0, -1)])
    owner.tournaments.scopes[PARTITION, 0].epoch = 15  # its claim lies ahead of the create
    begin = items(create(dedicated=False), step(Join(command_id="j", user_id="5")), first=10)
    await deliver(owner, 0, -1, 12, begin)
    await round_due()
    assert store.writes == []
    await deliver(owner, 0, 12, 20, items(step(Score(5, "a", 700)), first=16))
    await round_due()
    assert store.held == {TOURNAMENT: (15, 16)}
    assert b'"score":7,' in (store.rows[TOURNAMENT][5] or b"")
    await deliver(owner, 0, 20, 21, items(step(End(command_id="e")), first=21))
    await round_due()
    assert store.writes[-1][0].status == "running"
    assert not store.finished
    await owner.checkpoint_due()
    await round_due()
    assert store.writes[-1][0].status == "finished"
    assert store.finished == {TOURNAMENT}
    assert owner.read_model._entries == {}
    await owner.close()


async def test_a_scope_given_up_is_forgotten() -> None:
    store = MemoryReadModel()
    owner = owner_of(MemoryRecords())
    owner.read_model = ReadModelWriter(store, lambda: 1_000_000)
    await owner.adopt([(PARTITION, 0, -1)])
    await deliver(owner, 0, -1, 12, items(create(dedicated=False), first=10))
    assert len(owner.read_model._entries) == 1
    await owner.release(PARTITION, 0)
    assert len(owner.read_model._entries) == owner.read_model.waiting == 0
