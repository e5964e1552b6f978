"""A dedicated tournament that is over is handed over to the shared scope by a record, and nothing is lost before or behind that."""

from __future__ import annotations

from actors.domain.codec import decode_snapshot
from actors.domain.messages import Disqualify, End, HandOver, Join, Reopen, decode_value
from actors.owner.hand_overs import REPEAT_MS
from actors.owner.owner import Owner
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT
from tests.support.memory_records import MemoryRecords
from tests.unit.actors.owner.test_owner import create, deliver, items, owner_of, step

KEY = (PARTITION, TOURNAMENT)
HAND_OVER = step(HandOver(command_id="h"))


async def ended(owner: Owner) -> None:
    """A dedicated tournament of its own, over and durable at 12, and the shared scope at 12."""
    await owner.adopt([(PARTITION, 0, -1), (*KEY, -1)])
    life = [create(dedicated=True), step(Join(command_id="j", user_id="5")), step(End(command_id="e"))]
    await deliver(owner, TOURNAMENT, -1, 12, items(*life, first=10))
    await deliver(owner, 0, -1, 12, [])
    await owner.checkpointer.full_round(owner.scopes())


async def test_the_owner_appends_a_hand_over_once_the_end_is_durable_and_again_while_it_is_not_read() -> None:
    now_ms = BEGIN_MS
    owner = owner_of(MemoryRecords(), clock_ms=lambda: now_ms)
    await ended(owner)
    assert await owner.tick_due() == 1
    [record] = (await owner._log.read(PARTITION, 1, 10)).records
    assert isinstance(decode_value(record.value), HandOver)
    assert await owner.tick_due() == 0
    now_ms += REPEAT_MS
    assert await owner.tick_due() == 1
    await deliver(owner, TOURNAMENT, 12, 21, items(HAND_OVER, first=21))
    await owner.checkpointer.full_round(owner.scopes())
    now_ms += REPEAT_MS
    assert await owner.tick_due() == 0


async def test_what_comes_after_the_end_is_for_its_own_scope_and_what_is_behind_the_hand_over_for_the_shared_one() -> (
    None
):
    records = MemoryRecords()
    owner = owner_of(records)
    await ended(owner)
    late = [step(Disqualify(command_id="d", user_id="5", reason="r")), HAND_OVER]
    position = await deliver(owner, TOURNAMENT, 12, 14, items(*late, first=13))
    assert not position.closed, "that is not durable yet"
    behind = items(HAND_OVER, step(Reopen(command_id="o", ends_ms=BEGIN_MS + 10**9)), first=14)
    assert (await deliver(owner, 0, 12, 15, behind)).watermark == 12, "it waits for the own scope"
    row = await records.tournament(TOURNAMENT)
    assert row is not None
    assert (row.status, row.lingers, row.alone) == ("finished", True, True)
    assert await records.active(PARTITION, dedicated=True) == [TOURNAMENT]

    await owner.checkpointer.full_round(owner.scopes())
    assert (await deliver(owner, TOURNAMENT, 14, 15, [])).closed
    row = await records.tournament(TOURNAMENT)
    assert row is not None
    assert (row.lingers, row.alone) == (False, False)
    assert await records.active(PARTITION, dedicated=True) == []
    assert (await deliver(owner, 0, 12, 15, behind)).watermark == 15
    await owner.checkpointer.full_round(owner.scopes())
    [stored, *_] = await records.snapshots(TOURNAMENT)
    state = decode_snapshot(stored.data, stored.deltas)
    assert (state.status, state.alone, state.shared_from) == ("running", False, 14)
    assert list(state.members.disqualified.values()) == ["r"]
    assert owner.tournaments.active[TOURNAMENT].scope.tournament == 0
    assert await records.active(PARTITION, dedicated=False) == [TOURNAMENT]


async def test_what_changes_one_that_has_made_room_for_others_is_saved() -> None:
    records = MemoryRecords()
    first, owner = owner_of(records), owner_of(records, over_kept=0)
    await first.adopt([(PARTITION, 0, -1)])
    life = [create(dedicated=False), step(Join(command_id="j", user_id="5")), step(End(command_id="e"))]
    await deliver(first, 0, -1, 12, items(*life, first=10))
    await first.checkpointer.full_round(first.scopes())
    await owner.adopt([(PARTITION, 0, -1)])
    await deliver(owner, 0, 12, 13, items(step(Disqualify(command_id="d", user_id="5", reason="r")), first=13))
    await owner.checkpointer.full_round(owner.scopes())
    [stored, *_] = await records.snapshots(TOURNAMENT)
    assert list(decode_snapshot(stored.data, stored.deltas).members.disqualified.values()) == ["r"]
