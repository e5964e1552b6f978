"""What is saved of a tournament: whatever happened since the last save, the snapshot with its deltas says what the state says."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.messages import Disqualify, Erase, Join, Leave
from actors.owner.change import Change
from actors.owner.checkpoint.snapshot_chain import DeltaBounds, next_snapshot, takes_delta
from actors.owner.entity import Chain
from actors.owner.owner import Owner
from storage.ports import RecordsUnavailableError
from tests.support.histories import PARTITION, TOURNAMENT, Score, items_of, random_history
from tests.support.memory_records import MemoryRecords
from tests.unit.actors.owner.test_owner import create, deliver, items, let_log_reach, owner_of, step

EAGER = DeltaBounds(least_members=1, most=4, rows_share=0, bytes_share=0)


async def eager_owner(records: MemoryRecords, bounds: DeltaBounds = EAGER) -> Owner:
    owner = owner_of(records)
    owner.checkpointer.deltas = bounds
    if records.all_tournaments():
        let_log_reach(owner, 2000)
    await owner.adopt([(PARTITION, 0, -1)])
    return owner


async def test_the_snapshot_with_its_deltas_is_the_state_to_the_byte() -> None:
    """Of random histories of every kind, saved at random places."""
    deltas: Counter[int] = Counter()
    for seed in range(250):
        records, r = MemoryRecords(), Random(seed)
        owner = await eager_owner(records)
        at, rest = -1, items_of(random_history(seed, 60))
        while rest:
            count = r.choice([1, 3, 8])
            part, rest = rest[:count], rest[count:]
            await deliver(owner, 0, at, part[-1].offset, part)
            at = part[-1].offset
            await owner.checkpointer.full_round(owner.scopes())
            stored = (await records.snapshots(TOURNAMENT))[0]
            entity = owner.tournaments.at_hand(TOURNAMENT)
            assert entity is not None
            assert stored.offset == entity.state.offset
            again = decode_snapshot(stored.data, stored.deltas)
            assert encode_snapshot(again) == encode_snapshot(entity.state), f"seed {seed}, offset {stored.offset}"
            assert (again.members.undone, again.due_ms) == (entity.state.members.undone, entity.state.due_ms)
            deltas[len(stored.deltas)] += 1
    assert set(deltas) == {0, 1, 2, 3, 4}
    assert all(count > 100 for count in deltas.values())


async def running(records: MemoryRecords, bounds: DeltaBounds = EAGER, members: int = 20) -> Owner:
    """An owner of a tournament whose members have scores, saved whole."""
    owner = await eager_owner(records, bounds)
    joins = [
        step(Join(command_id=f"j{user}", user_id=str(user), name=f"user {user}")) for user in range(1, members + 1)
    ]
    scores = [step(Score(user, "first", 100 * user)) for user in range(1, members + 1)]
    await deliver(owner, 0, -1, 999, items(create(dedicated=False), *joins, *scores, first=10))
    await owner.checkpointer.full_round(owner.scopes())
    return owner


async def go_on(owner: Owner, after: int, *what: object) -> None:
    await deliver(owner, 0, after, after + 10, items(*map(step, what), first=after + 1))
    await owner.checkpointer.full_round(owner.scopes())


async def test_deltas_follow_until_there_are_too_many_of_them() -> None:
    records = MemoryRecords()
    owner = await running(records)
    kinds = []
    for n in range(6):
        await go_on(owner, 999 + 10 * n, Score(3, f"e{n}", 50_000 + n))
        kinds.append(len((await records.snapshots(TOURNAMENT))[0].deltas))
    assert kinds == [1, 2, 3, 4, 0, 1]


@pytest.mark.parametrize("bounds", [
    EAGER._replace(least_members=21), EAGER._replace(rows_share=21), EAGER._replace(bytes_share=10),
    EAGER._replace(most=0),
])  # fmt: skip
async def test_what_is_not_worth_it_is_saved_whole(bounds: DeltaBounds) -> None:
    records = MemoryRecords()
    owner = await running(records, bounds)
    await go_on(owner, 999, Score(3, "e", 50_000))
    assert (await records.snapshots(TOURNAMENT))[0].deltas == ()


@pytest.mark.parametrize(("what", "deltas"), [
    (Join(command_id="x", user_id="50", name="late"), 1), (Leave(command_id="x", user_id="3", by="3"), 1),
    (Disqualify(command_id="x", user_id="3", reason="cheated", by="1"), 0),
])  # fmt: skip
async def test_commands_about_more_than_a_row_are_saved_whole(what: object, deltas: int) -> None:
    records = MemoryRecords()
    owner = await running(records)
    await go_on(owner, 999, what)
    assert len((await records.snapshots(TOURNAMENT))[0].deltas) == deltas


async def test_no_name_of_an_erased_user_stays_in_a_delta() -> None:
    records = MemoryRecords()
    owner = await running(records)
    await go_on(owner, 999, Join(command_id="n", user_id="50", name="Secret Name"))
    kept = await records.snapshots(TOURNAMENT)
    assert any(b"Secret Name" in delta for stored in kept for delta in stored.deltas)
    await go_on(owner, 1009, Erase(command_id="x", user_id="50"))
    kept = await records.snapshots(TOURNAMENT)
    assert [(len(stored.deltas), b"Secret Name" in stored.data) for stored in kept] == [(0, False)]


async def test_after_a_save_that_may_not_have_been_taken_the_next_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    records = MemoryRecords()
    owner = await running(records)

    async def lost(_: object) -> None:
        raise RecordsUnavailableError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(records, "save", lost)
        await go_on(owner, 999, Score(3, "a", 50_000))
    await go_on(owner, 1009, Score(4, "b", 60_000))
    stored = (await records.snapshots(TOURNAMENT))[0]
    assert (stored.offset, stored.deltas) == (1010, ())
    assert records._participants[TOURNAMENT, 3].score == 50_000, "what the lost save had is in the next"


async def test_a_delta_after_somebody_elses_save_is_refused_and_the_snapshot_saved_whole() -> None:
    """Two owners of one tournament for a while: what is stored stays whole."""
    records = MemoryRecords()
    stale = await running(records)
    fresh = await eager_owner(records)
    await deliver(fresh, 0, 999, 1009, items(step(Score(3, "a", 50_000)), first=1000))
    await fresh.checkpointer.full_round(fresh.scopes())
    await deliver(stale, 0, 999, 1019, items(step(Score(3, "a", 50_000)), step(Score(4, "b", 60_000)), first=1000))
    assert not await stale.checkpointer.full_round(stale.scopes())
    assert (await records.snapshots(TOURNAMENT))[0].offset == 1000
    assert await stale.checkpointer.full_round(stale.scopes())
    stored = (await records.snapshots(TOURNAMENT))[0]
    entity = stale.tournaments.active[TOURNAMENT]
    assert (stored.offset, stored.deltas) == (1001, ())
    assert stored.data == encode_snapshot(entity.state)


async def test_one_that_was_loaded_is_saved_whole_first() -> None:
    records = MemoryRecords()
    owner = await running(records)
    await go_on(owner, 999, Score(3, "a", 50_000))
    loaded = (await eager_owner(records)).tournaments.active[TOURNAMENT]
    assert encode_snapshot(loaded.state) == encode_snapshot(owner.tournaments.active[TOURNAMENT].state)
    change = Change(loaded, {0: 1})
    assert not takes_delta(change, EAGER)
    snapshot, chain = next_snapshot(change, EAGER)
    assert snapshot.after is None
    assert chain == Chain(chain.part, len(snapshot.data), 0, 0)
