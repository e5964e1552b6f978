"""The contract of attempts, for every implementation."""

from __future__ import annotations

import pytest

from actors.domain.analytics.attempts import FIRST_N, KIND, Attempts, decode_blocks
from storage.ports import AttemptBlocks, Kept, OutboxRow, Records, WaitingTournament
from storage.records.mysql.sharded import ShardedRecords
from storage.records.sql.attempts import SqlAttempts
from storage.records.sql.database import SqlRecords
from tests.contract.test_records import checkpoint, tournament
from tests.support.memory_attempts import MemoryAttempts
from tests.support.memory_records import MemoryRecords


@pytest.fixture
def attempts(records: Records) -> AttemptBlocks:
    """Over the durable store of the same implementation."""
    if isinstance(records, MemoryRecords):
        return MemoryAttempts(
            records.attempts(),
            lambda: {row.tournament_id: row.offset for row in records.all_tournaments()},
            records.snapshots_at_hand,
        )
    assert isinstance(records, SqlRecords | ShardedRecords)
    return SqlAttempts(records)


def block(*offsets: int) -> bytes:
    noted = Attempts()
    for offset in offsets:
        noted.add(offset, offset, 42, 100)
    (encoded,) = noted.blocks()
    return encoded


async def save(records: Records, number: int, offset: int, *offsets: int) -> None:
    """A save of a tournament as of an offset, which tells of attempts."""
    effect = OutboxRow(number, offset, FIRST_N, KIND, block(*offsets))
    await records.save(checkpoint(tournament(number, offset), outbox=[effect]))


async def offsets_of(attempts: AttemptBlocks, number: int, upto: int | None = None) -> list[int]:
    blocks = await attempts.blocks(number)
    if upto is not None:
        blocks = list((await attempts.stored([WaitingTournament(number, upto, anew=False)]))[number].blocks)
    found: list[int] = decode_blocks(blocks).offsets.tolist()
    return found


async def test_a_tournament_waits_from_its_save_until_it_is_kept(records: Records, attempts: AttemptBlocks) -> None:
    assert (await attempts.waiting(0, 10), await attempts.counts()) == ([], (0, 0))
    await save(records, 1, 10, 8, 9)
    await save(records, 1, 12, 12)
    await save(records, 2, 11)
    waiting = [WaitingTournament(1, 12, anew=False), WaitingTournament(2, 11, anew=False)]
    assert await attempts.waiting(0, 10) == waiting
    assert await attempts.waiting(0, 1) == waiting[:1]
    assert await attempts.waiting(1, 10) == waiting[1:]
    assert await attempts.counts() == (2, 2)
    await attempts.keep([Kept(1, 12)])
    await attempts.keep([Kept(1, 12)])
    assert await attempts.waiting(0, 10) == waiting[1:]
    assert await offsets_of(attempts, 1) == [8, 9, 12]
    assert await offsets_of(attempts, 1, 10) == [8, 9]
    assert await offsets_of(attempts, 3) == []
    assert await records.outbox(10) == [], "they are nobody else's effects"


async def test_what_is_saved_meanwhile_makes_it_wait_again(records: Records, attempts: AttemptBlocks) -> None:
    await save(records, 1, 10, 10)
    await save(records, 1, 12, 12)
    await attempts.keep([Kept(1, 10)])
    assert await attempts.waiting(0, 10) == [WaitingTournament(1, 12, anew=False)]
    await attempts.keep([Kept(1, 12)])
    assert await attempts.waiting(0, 10) == []


async def test_a_save_that_is_made_again_tells_nothing_twice(records: Records, attempts: AttemptBlocks) -> None:
    await save(records, 1, 10, 10)
    await attempts.keep([Kept(1, 10)])
    await save(records, 1, 10, 10)
    assert await attempts.waiting(0, 10) == []
    await save(records, 1, 11, 10, 11)  # it was not known that the first had succeeded
    assert await offsets_of(attempts, 1) == [10, 11]


async def test_merged_blocks_take_the_place_of_all_up_to_theirs(records: Records, attempts: AttemptBlocks) -> None:
    for offset in (10, 11, 12):
        await save(records, 1, offset, offset)
    await attempts.keep([Kept(1, 11, [block(10), block(11)])])
    assert len(await attempts.blocks(1)) == 3
    assert await offsets_of(attempts, 1) == [10, 11, 12]
    assert await attempts.waiting(0, 10) == [WaitingTournament(1, 12, anew=False)]
    await attempts.keep([Kept(1, 12, [block(10, 11, 12)])])
    await attempts.keep([Kept(1, 12, [block(10, 11, 12)])])
    assert await attempts.blocks(1) == [block(10, 11, 12)]


async def test_many_are_read_and_kept_together(records: Records, attempts: AttemptBlocks) -> None:
    for number in (1, 2, 3, 4):
        await save(records, number, 10, number)
        await save(records, number, 12, 10 + number)
    waiting = await attempts.waiting(0, 10)
    found = await attempts.stored([*waiting[:3], WaitingTournament(4, 10, anew=False)])
    assert {number: decode_blocks(each.blocks).offsets.tolist() for number, each in found.items()} == {
        1: [1, 11], 2: [2, 12], 3: [3, 13], 4: [4]
    }  # fmt: skip
    for number, each in found.items():
        assert list(each.snapshots) == await records.snapshots(number)
    kept = [Kept(1, 12, [block(1, 11)]), Kept(2, 12, [block(2, 12)]), Kept(3, 12), Kept(4, 10)]
    assert await attempts.keep(kept) == {1, 2, 3, 4}
    assert await attempts.waiting(0, 10) == [waiting[3]]
    assert [len(await attempts.blocks(number)) for number in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert await offsets_of(attempts, 2) == [2, 12]


async def test_a_large_block_is_stored(records: Records, attempts: AttemptBlocks) -> None:
    large = bytes(range(256)) * 12_000
    await records.save(checkpoint(tournament(1, 10), outbox=[OutboxRow(1, 10, FIRST_N, KIND, large)]))
    assert await attempts.blocks(1) == [large]


async def test_rebuilding_lets_all_wait_to_be_made_anew(records: Records, attempts: AttemptBlocks) -> None:
    assert await attempts.rebuild() == 0
    await save(records, 1, 10, 10)
    await attempts.keep([Kept(1, 10)])
    await records.save(checkpoint(tournament(2, 5)))  # of a version that told of no attempts
    for _ in range(2):
        assert await attempts.rebuild() == 2
    waiting = [WaitingTournament(1, 10, anew=True), WaitingTournament(2, 5, anew=True)]
    assert await attempts.waiting(0, 10) == waiting
    await save(records, 1, 12, 12)
    assert await attempts.waiting(0, 1) == [WaitingTournament(1, 12, anew=True)]
    await attempts.keep([Kept(1, 12)])
    assert await attempts.rebuild() == 1, "what was cut off goes on with what is left"
    await attempts.keep([Kept(2, 5)])
    assert (await attempts.waiting(0, 10), await attempts.counts()) == ([], (0, 2))
    assert await offsets_of(attempts, 1) == [10, 12]
    assert await attempts.rebuild() == 2
