"""The contract of the ledger of prizes, for every implementation."""

from __future__ import annotations

import asyncio

import pytest

from actors.domain.prizes.ledger import Entry, moved
from storage.ports import (
    PRIZES_EFFECT,
    PRIZES_EFFECT_NUMBER,
    LedgerChangedError,
    OutboxRow,
    PrizeLedger,
    Records,
    RecordsUnavailableError,
)
from storage.records.mysql.sharded import ShardedRecords
from storage.records.sql.database import SqlRecords
from storage.records.sql.prize_ledger import SqlPrizeLedger
from tests.contract.test_records import checkpoint, tournament
from tests.support.memory_prizes import MemoryPrizeLedger
from tests.support.memory_records import MemoryRecords

NOW_MS = 1_790_000_000_000


@pytest.fixture
def ledger(records: Records) -> PrizeLedger:
    """Over the durable store of the same implementation."""
    if isinstance(records, MemoryRecords):
        return MemoryPrizeLedger(records)
    assert isinstance(records, SqlRecords | ShardedRecords)
    return SqlPrizeLedger(records)


def entry(number: int, user: int, rule: int = 0, n: int = 0, **more: object) -> Entry:
    made = Entry(
        tournament_id=number, rule=rule, user_id=user, n=n, kind="prize", rank=user, units=2**62, currency="EUR", item="",
        group=None, state="pending_review", claim=False, claimed_ms=None, attempts=0, due_ms=NOW_MS, created_ms=NOW_MS,
        changed_ms=NOW_MS, changed_by=0, reason="", reference="", version=1,
    )  # fmt: skip
    return made._replace(**more)  # type: ignore[arg-type]  # names and types are Entry's


def effect(number: int, offset: int) -> OutboxRow:
    return OutboxRow(number, offset, PRIZES_EFFECT_NUMBER, PRIZES_EFFECT, b"{}")


async def end(records: Records, *numbers: int, offset: int = 10) -> None:
    """Tournaments that are finished, with the effects of it."""
    for number in numbers:
        effects = [effect(number, offset), OutboxRow(number, offset, 0, "finished", b"")]
        await records.save(checkpoint(tournament(number, offset, status="finished"), outbox=effects))


async def test_entries_are_read_as_written(records: Records, ledger: PrizeLedger) -> None:
    await end(records, 1, 2)
    everything = entry(
        1, 5, 2, 1, kind="claw_back", rank=3, currency="", item="a mug \u2615", group="Österreich", state="failed",
        claim=True, claimed_ms=5, attempts=7, due_ms=9, created_ms=10, changed_ms=11, changed_by=2**63 - 1, reason="r", reference="x",
    )  # fmt: skip
    await ledger.write(1, [everything, entry(1, 7), entry(1, 4)])
    await ledger.write(2, [entry(2, 4)])
    assert await ledger.entries(1) == [entry(1, 4), entry(1, 7), everything]
    assert await ledger.entries(3) == []
    counts = await ledger.counts()
    assert (counts["pending_review"], counts["failed"], counts["paid"]) == (3, 1, 0)


async def test_many_entries_of_one_write(records: Records, ledger: PrizeLedger) -> None:
    await end(records, 1)
    await ledger.write(1, [entry(1, user) for user in range(1, 1_002)])
    assert len(await ledger.entries(1)) == 1_001


async def test_a_write_is_whole_or_not_at_all(records: Records, ledger: PrizeLedger) -> None:
    await end(records, 1)
    await ledger.write(1, [entry(1, 4), entry(1, 5)])
    first = moved(entry(1, 4), "approve", NOW_MS)
    with pytest.raises(LedgerChangedError):
        await ledger.write(1, [entry(1, 6), first, moved(entry(1, 5), "approve", NOW_MS)._replace(version=3)], upto=10)
    with pytest.raises(LedgerChangedError):
        await ledger.write(1, [first, entry(1, 5)], upto=10)  # there is one already
    assert await ledger.entries(1) == [entry(1, 4), entry(1, 5)]
    assert await ledger.waits(1)


async def test_of_two_who_change_an_entry_one_is_told(records: Records, ledger: PrizeLedger) -> None:
    await end(records, 1)
    await ledger.write(1, [entry(1, 4)])
    approved, revoked = moved(entry(1, 4), "approve", NOW_MS), moved(entry(1, 4), "revoke", NOW_MS)
    answers = await asyncio.gather(ledger.write(1, [approved]), ledger.write(1, [revoked]), return_exceptions=True)
    assert [type(answer) for answer in answers if answer is not None] == [LedgerChangedError]
    assert await ledger.entries(1) == [revoked if answers[0] else approved]


async def test_a_tournament_waits_until_the_ledger_follows_it(records: Records, ledger: PrizeLedger) -> None:
    await end(records, 1, 2, 3)
    assert await ledger.waiting(2) == {1: 10, 2: 10}
    await ledger.write(1, [entry(1, 4)])
    assert await ledger.waits(1)
    await ledger.write(1, [], upto=10)
    await ledger.write(2, [], upto=9)
    assert not await ledger.waits(1)
    assert await ledger.waiting(9) == {2: 10, 3: 10}
    await end(records, 1, offset=11)
    assert await ledger.waiting(9) == {1: 11, 2: 10, 3: 10}
    kept = [(row.tournament_id, row.kind) for row in await records.outbox(100, 1)]
    assert (1, "finished") in kept, "other effects are others' to release"


async def test_what_is_not_stored_yet_has_no_ledger(ledger: PrizeLedger) -> None:
    with pytest.raises(RecordsUnavailableError):
        await ledger.write(8, [entry(8, 4)])
    assert await ledger.entries(8) == []


async def test_payable_is_what_is_due_and_a_large_tournament_holds_up_none(
    records: Records, ledger: PrizeLedger
) -> None:
    await end(records, 1, 2, 3)
    await ledger.write(1, [entry(1, user, state="approved") for user in range(1, 31)])
    await ledger.write(2, [
        entry(2, 1, state="approved", due_ms=NOW_MS + 1),
        entry(2, 2, state="paying", due_ms=NOW_MS - 5),
        entry(2, 3, state="approved", claim=True),
        entry(2, 4, state="approved", claim=True, claimed_ms=5),
        entry(2, 5, state="approved", claim=True, kind="claw_back"),
        *(entry(2, 6 + at, state=state) for at, state in enumerate(("pending_review", "paid", "failed", "revoked"))),
    ])  # fmt: skip
    due = await ledger.payable(NOW_MS, 10, 5)
    assert [(one.tournament_id, one.user_id) for one in due] == [
        (2, 2),
        (2, 4),
        (2, 5),
        *((1, user) for user in range(1, 6)),
    ]
    assert {one.tournament_id for one in await ledger.payable(NOW_MS, 1, 5)} == {2}
    assert len(await ledger.payable(NOW_MS, 10, 100)) == 33
    assert await ledger.payable(NOW_MS - 10, 10, 100) == []


async def test_a_users_prizes_page_by_page(records: Records, ledger: PrizeLedger) -> None:
    await end(records, 1, 2, 3)
    await records.save(checkpoint(tournament(4, 10, status="running")))
    await ledger.write(1, [entry(1, 4, rule, created_ms=5) for rule in range(3)] + [entry(1, 5)])
    await ledger.write(2, [entry(2, 4, created_ms=7)])
    await ledger.write(3, [entry(3, 4, created_ms=5)])
    await ledger.write(4, [entry(4, 4)])  # of one that was reopened, too
    pages, cursor = [], None
    while True:
        found, cursor = await ledger.user_prizes(4, cursor, 2)
        pages.append([(prize.entry.tournament_id, prize.entry.rule) for prize in found])
        if cursor is None:
            break
    assert pages == [[(4, 0), (2, 0)], [(3, 0), (1, 2)], [(1, 1), (1, 0)]]
    assert (await ledger.user_prizes(4, None, 1))[0][0].tournament_name == tournament(4).name
    with pytest.raises(ValueError, match="not a cursor"):
        await ledger.user_prizes(4, "abc", 2)
