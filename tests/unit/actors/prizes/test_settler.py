"""The settler: the ledger follows the durable table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.prizes.ledger import TABLE, Entry, State, moved, what_is_won
from actors.domain.tournament import Tournament
from actors.prizes import settler as settler_module
from actors.prizes.settler import Settler, notice_key_of
from storage.ports import Checkpoint, RecordsUnavailableError, StoredSnapshot
from storage.records.sql.database import SqlRecords
from storage.records.sql.prize_ledger import SqlPrizeLedger
from tests.support.prize_bench import Bench

FIRST = {"ranks": [1], "amount": "100.01", "currency": "EUR"}
SECOND = {"ranks": [2, 3], "amount": "50", "currency": "EUR"}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    records = await SqlRecords.open(tmp_path / "records.db")
    yield Bench(records, SqlPrizeLedger(records))
    await records.close()


def settler_of(bench: Bench) -> Settler:
    return Settler(bench.records, bench.ledger, bench.clock_ms)


async def shown(bench: Bench, number: int) -> list[tuple[int, int, str, int, str]]:
    return [(e.rule, e.user_id, e.kind, e.units, e.state) for e in await bench.ledger.entries(number)]


async def test_an_end_makes_entries_once(bench: Bench) -> None:
    await bench.end(5, [30, 20, 20, 10], FIRST, SECOND)
    await bench.end(6, [30, 20])  # without prizes nobody waits
    settler = settler_of(bench)
    assert await settler.round() == 1
    expected = [
        (0, 1, "prize", 10001, "pending_review"),
        (1, 2, "prize", 5000, "pending_review"),
        (1, 3, "prize", 5000, "pending_review"),
    ]
    assert await shown(bench, 5) == expected
    assert (await settler.round(), settler.waiting, settler.settled) == (0, 0, 1)
    await bench.change(5)
    assert await settler_of(bench).round() == 1
    assert await shown(bench, 5) == expected


async def test_a_disqualification_moves_prizes(bench: Bench) -> None:
    await bench.end(5, [30, 20, 10], FIRST, {**SECOND, "ranks": [2]})
    settler = settler_of(bench)
    await settler.round()
    await bench.hide(5, 1)
    await settler.round()
    assert [line for line in await shown(bench, 5) if line[4] != "revoked"] == [
        (0, 2, "prize", 10001, "pending_review"),
        (1, 3, "prize", 5000, "pending_review"),
    ]
    await bench.hide(5, 1, shown=True)
    await settler.round()
    assert [line[:2] for line in await shown(bench, 5) if line[4] != "revoked"] == [(0, 1), (1, 2)]


async def test_in_a_tournament_that_was_reopened_nobody_has_won_until_it_ends_again(bench: Bench) -> None:
    """Then they have won what the new table gives, and hear of it: with another key, or they would drop it. What an operator revoked stays."""
    await bench.end(5, [30, 20, 10], FIRST, {**SECOND, "ranks": [2]}, {"ranks": [3], "item": "mug"})
    told: list[str] = []

    async def tell(state: Tournament, entry: Entry) -> None:
        told.append(notice_key_of(state, entry))

    settler = Settler(bench.records, bench.ledger, bench.clock_ms, None, tell)
    await settler.round()
    first = ["prize_won-5-0-1-0", "prize_won-5-1-2-0", "prize_won-5-2-3-0"]
    assert told == first
    mug = (await bench.ledger.entries(5))[2]
    await bench.ledger.write(5, [moved(mug, "revoke", bench.now_ms, 7, "no mugs")])
    await bench.reopen(5)
    assert await settler.round() == 1
    entries = await bench.ledger.entries(5)
    assert [(e.state, e.reason, e.changed_by) for e in entries] == [
        ("revoked", "reopened", TABLE),
        ("revoked", "reopened", TABLE),
        ("revoked", "no mugs", 7),
    ]
    assert told == first
    bench.now_ms += 60_000
    bench.states[5].ranking.place(bench.states[5].members.slot(2), 4000)
    await bench.change(5, status="finished", finished_ms=bench.now_ms)
    assert await settler.round() == 1
    assert [line for line in await shown(bench, 5) if line[4] != "revoked"] == [
        (0, 2, "prize", 10001, "pending_review"),
        (1, 1, "prize", 5000, "pending_review"),
    ]
    await bench.reopen(5)
    await settler.round()
    bench.now_ms += 60_000
    await bench.change(5, status="finished", finished_ms=bench.now_ms)
    await settler.round()
    fresh = told[len(first) :]
    assert fresh[:2] == ["prize_won-5-0-2-0", "prize_won-5-1-1-0"]
    assert fresh[2:] == [f"prize_won-5-0-2-0-{bench.now_ms}", f"prize_won-5-1-1-0-{bench.now_ms}"]


async def groups(bench: Bench, number: int) -> dict[int, tuple[str | None, str]]:
    return {entry.user_id: (entry.group, entry.state) for entry in await bench.ledger.entries(number)}


@pytest.mark.parametrize("state", ["pending_review", "approved", "paid"])
async def test_who_is_erased_keeps_what_was_won_in_a_group_whose_name_goes(bench: Bench, state: State) -> None:
    """Nobody else of the group moves up to it, nothing is taken back; a later disqualification still counts."""
    rule = {"ranks": [1], "amount": "10", "currency": "EUR", "board": "country"}
    await bench.end(5, [30, 20, 10], rule, countries=("FI", "FI", "SE"))
    settler = settler_of(bench)
    await settler.round()
    entries = [entry._replace(state=state, version=2) for entry in await bench.ledger.entries(5)]
    await bench.ledger.write(5, entries if state != "pending_review" else [])
    assert await groups(bench, 5) == {1: ("FI", state), 3: ("SE", state)}
    for _ in range(2):
        await bench.erase(5, 1)
        await settler.round()
        assert await groups(bench, 5) == {1: (None, state), 3: ("SE", state)}
    await bench.hide(5, 3)
    await settler.round()
    kinds = [(entry.user_id, entry.kind, entry.state) for entry in await bench.ledger.entries(5)]
    lost = [(3, "prize", "paid"), (3, "claw_back", "pending_review")] if state == "paid" else [(3, "prize", "revoked")]
    assert sorted(kinds, key=lambda kind: kind[0]) == [(1, "prize", state), *lost]
    await bench.hide(5, 1)
    await settler.round()
    last = [entry for entry in await bench.ledger.entries(5) if entry.user_id == 1][-1]
    assert (last.kind, last.state) == (("claw_back", "pending_review") if state == "paid" else ("prize", "revoked"))
    assert last.group is None


async def test_reopened_after_an_erasure_the_next_end_gives_prizes_anew(bench: Bench) -> None:
    rule = {"ranks": [1], "amount": "10", "currency": "EUR", "board": "country"}
    await bench.end(5, [30, 20, 10], rule, countries=("FI", "FI", "SE"))
    settler = settler_of(bench)
    await settler.round()
    await bench.erase(5, 1)
    await settler.round()
    assert await groups(bench, 5) == {1: (None, "pending_review"), 3: ("SE", "pending_review")}
    await bench.reopen(5)
    await settler.round()
    assert await groups(bench, 5) == {1: (None, "revoked"), 3: ("SE", "revoked")}
    await bench.change(5, status="finished")
    await settler.round()
    assert await groups(bench, 5) == {
        1: (None, "revoked"),
        2: ("FI", "pending_review"),
        3: ("SE", "pending_review"),
    }


async def test_of_who_is_just_being_paid_the_group_goes_later(bench: Bench) -> None:
    rule = {"ranks": [1], "amount": "10", "currency": "EUR", "board": "country"}
    await bench.end(5, [30, 20], rule, countries=("FI", "FI"))
    settler = settler_of(bench)
    await settler.round()
    [entry] = await bench.ledger.entries(5)
    await bench.ledger.write(5, [entry._replace(state="paying", version=2)])
    await bench.erase(5, 1)
    assert (await settler.round(), settler.waiting) == (0, 1)
    assert await groups(bench, 5) == {1: ("FI", "paying")}
    await bench.ledger.write(5, [entry._replace(state="paid", version=3)])
    bench.now_ms += 100_000
    assert await settler.round() == 1
    assert await groups(bench, 5) == {1: (None, "paid")}


async def test_what_cannot_be_read_holds_up_nobody_and_is_tried_again_later(bench: Bench) -> None:
    for number in (4, 5, 6):
        await bench.end(number, [30], FIRST)
    state = bench.states[5]
    damaged = StoredSnapshot(5, state.partition, state.offset, b"PALIOSNP damaged")
    from actors.owner.checkpoint.rows import tournament_row

    await bench.records.save(Checkpoint([tournament_row(state, 0)], [damaged], [], [], []))
    settler = settler_of(bench)
    assert await settler.round() == 2
    assert (settler.waiting, settler.failures) == (1, 1)
    assert await settler.round() == 0
    assert settler.failures == 1, "it waits a second before it is looked at again"
    bench.now_ms += 1000
    await settler.round()
    bench.now_ms += 1000
    await settler.round()
    assert settler.failures == 2, "then two"
    await bench.change(5)
    bench.now_ms += 60_000
    assert await settler.round() == 1


async def test_winners_are_told_before_the_ledger_is_done_with_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again after a crash: what is told is known by its key. Whoever won nothing new is not."""
    await bench.end(5, [30, 20], FIRST, SECOND)
    told: list[str] = []

    async def tell(state: Tournament, entry: Entry) -> None:
        assert await bench.ledger.waits(state.tournament_id)
        told.append(f"{entry.key}: {what_is_won(entry)}")

    settler = Settler(bench.records, bench.ledger, bench.clock_ms, None, tell)
    await settler.round()
    assert told == ["5-0-1-0: 100.01 EUR", "5-1-2-0: 50.00 EUR"]
    await bench.hide(5, 2)
    await settler.round()
    assert told[2:] == ["5-0-1-0: 100.01 EUR"], "of what is told again its key is known"
    bench.now_ms += settler_module.TELL_WITHIN_MS
    await bench.change(5)
    await settler.round()
    assert len(told) == 3
    monkeypatch.setattr(settler_module, "TOLD", 1)
    await bench.end(6, [30, 20], SECOND, {"ranks": [1], "item": "mug", "count": 2})
    await settler.round()
    assert told[3:] == ["6-1-1-0: 2 x mug"]


async def test_many_winners_come_in_transactions_of_bounded_size(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settler_module, "ENTRIES_A_WRITE", 3)
    await bench.end(5, list(range(100, 90, -1)), {"top_percent": 100, "item": "badge"})
    sizes: list[int] = []
    write = bench.ledger.write

    async def counted(number: int, entries: list[object], upto: int = -1) -> None:
        sizes.append(len(entries))
        await write(number, entries, upto)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.ledger, "write", counted)
    await settler_of(bench).round()
    assert sizes == [3, 3, 3, 1, 0]
    assert len(await bench.ledger.entries(5)) == 10


async def test_records_that_are_away_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.end(5, [30], FIRST)
    settler = settler_of(bench)

    async def away(_: int) -> list[StoredSnapshot]:
        raise RecordsUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(bench.records, "snapshots", away)
        assert await settler.round() == 0
    bench.now_ms += 1000
    assert await settler.round() == 1
