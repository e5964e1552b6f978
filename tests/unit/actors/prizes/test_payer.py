"""The payer: back-off, refusals, claims, claw-backs, and a crash at every step from the end to the last payment."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.prizes.ledger import Entry, moved
from actors.prizes.payer import Payer, PayerConfig, payout_of
from storage.ports import Payout, PayoutRefusedError, PayoutUnavailableError
from storage.records.sql.database import SqlRecords
from storage.records.sql.prize_ledger import SqlPrizeLedger
from tests.support.memory_prizes import MemoryPrizeLedger
from tests.support.memory_records import MemoryRecords
from tests.support.prize_bench import Bench, Crash, Payee, Steps

PURSE = {"ranks": [1, 3], "amount": "33.34", "currency": "EUR"}
MUG = {"ranks": [1], "item": "mug", "count": 2}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    records = await SqlRecords.open(tmp_path / "records.db")
    yield Bench(records, SqlPrizeLedger(records))
    await records.close()


async def one(bench: Bench, number: int = 5) -> Entry:
    [entry] = await bench.ledger.entries(number)
    return entry


class Answers:
    """Payouts that answer as they are told."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[Payout] = []

    async def pay(self, payout: Payout) -> str:
        self.asked.append(payout)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        return None


async def approved(bench: Bench, rule: dict[str, object] = MUG) -> None:
    await bench.end(5, [30], rule)
    await bench.work(Steps(), automatic=False, rounds=1)
    await bench.approve(5)


async def test_what_is_not_approved_is_not_paid(bench: Bench) -> None:
    await bench.end(5, [30, 20, 10], PURSE)
    await bench.work(Steps(), automatic=False, rounds=5)
    assert bench.payee.carried_out == {}
    await bench.approve(5)
    await bench.work(Steps(), automatic=False)
    assert bench.payee.totals() == {(5, 1): 3334, (5, 2): 3334, (5, 3): 3334}
    assert {entry.state for entry in await bench.ledger.entries(5)} == {"paid"}
    assert {entry.reference for entry in await bench.ledger.entries(5)} == {f"ref-5-0-{user}-0" for user in (1, 2, 3)}


async def test_what_may_pass_is_sent_again_later_and_later_with_the_same_key(bench: Bench) -> None:
    await approved(bench)
    away = PayoutUnavailableError("away")
    answers = Answers(away, away, PayoutUnavailableError("busy", after_s=90), away, "done")
    payer = Payer(bench.ledger, answers, bench.clock_ms, PayerConfig(retry_ms=1000, retry_max_ms=5000))
    pauses = []
    for _ in range(4):
        assert await payer.round() == 1
        assert (await one(bench)).state == "paying"
        pauses.append((await one(bench)).due_ms - bench.now_ms)
        assert await payer.round() == 0
        bench.now_ms += pauses[-1]
    assert pauses == [1000, 2000, 90_000, 5000]
    await payer.round()
    assert (await one(bench)).state == "paid"
    assert len(set(answers.asked)) == 1
    assert answers.asked[0] == Payout("5-0-1-0", "prize", 5, 1, 1, "", "", "mug", 2, answers.asked[0].made_ms)
    assert payer.outcomes == {"retried": 4, "paid": 1}


async def test_a_refusal_fails_and_an_operator_may_try_again(bench: Bench) -> None:
    await approved(bench)
    answers = Answers(PayoutRefusedError("no account " + "x" * 1000), "done")
    payer = Payer(bench.ledger, answers, bench.clock_ms, PayerConfig())
    await payer.round()
    failed = await one(bench)
    assert failed.state == "failed"
    assert failed.reason.startswith("no account")
    assert await payer.round() == 0
    await bench.ledger.write(5, [moved(failed, "approve", bench.now_ms, 7, due_ms=bench.now_ms)])
    await payer.round()
    assert (await one(bench)).state == "paid"
    assert len({payout.key for payout in answers.asked}) == 1


async def test_it_gives_up_after_so_many_attempts(bench: Bench) -> None:
    await approved(bench)
    answers = Answers(*[PayoutUnavailableError("away")] * 3)
    payer = Payer(bench.ledger, answers, bench.clock_ms, PayerConfig(max_attempts=3))
    for _ in range(3):
        await payer.round()
        bench.now_ms += 3_600_000
    assert (await one(bench)).state == "failed"
    assert "given up after 3 attempts: away" in (await one(bench)).reason
    assert payer.outcomes == {"retried": 2, "given_up": 1}


async def test_a_claim_is_waited_for(bench: Bench) -> None:
    await approved(bench, {**MUG, "claim": True})
    await bench.work(Steps(), automatic=False, rounds=3)
    assert bench.payee.carried_out == {}
    entry = await one(bench)
    await bench.ledger.write(5, [entry._replace(claimed_ms=bench.now_ms, version=entry.version + 1)])
    await bench.work(Steps(), automatic=False)
    assert (await one(bench)).state == "paid"


async def test_what_was_paid_to_one_who_is_disqualified_is_taken_back(bench: Bench) -> None:
    await bench.end(5, [30, 20], {"ranks": [1], "amount": "10", "currency": "EUR"})
    await bench.work(Steps())
    assert bench.payee.totals() == {(5, 1): 1000}
    await bench.hide(5, 1)
    await bench.work(Steps())
    assert bench.payee.totals() == {(5, 1): 1000, (5, 2): 1000}, "a claw-back waits for somebody's word"
    await bench.approve(5)
    await bench.work(Steps())
    assert bench.payee.totals() == {(5, 2): 1000}
    await bench.hide(5, 1, shown=True)
    await bench.work(Steps())
    await bench.approve(5)
    await bench.work(Steps())
    assert bench.payee.totals() == {(5, 1): 1000}


async def test_one_who_is_disqualified_while_being_paid(bench: Bench) -> None:
    await bench.end(5, [30, 20], {"ranks": [1], "amount": "10", "currency": "EUR"})
    await bench.work(Steps(), automatic=False, rounds=1)
    await bench.approve(5)
    entry = await one(bench)
    await bench.ledger.write(5, [moved(entry, "pay", bench.now_ms, attempts=1, due_ms=bench.now_ms + 500_000)])
    await bench.hide(5, 1)
    await bench.work(Steps(), automatic=False, rounds=2)
    assert await bench.ledger.waits(5), "the table is followed once it is known whether it was paid"
    await bench.work(Steps(), automatic=False)
    states = [(e.user_id, e.kind, e.state) for e in await bench.ledger.entries(5)]
    assert sorted(states) == [(1, "claw_back", "pending_review"), (1, "prize", "paid"), (2, "prize", "pending_review")]


async def test_a_large_tournament_holds_up_no_other(bench: Bench) -> None:
    await bench.end(5, list(range(60, 0, -1)), {"top_percent": 100, "item": "badge"})
    await bench.end(6, [30], MUG)
    await bench.work(Steps(), automatic=False, rounds=1)
    for number in (5, 6):
        await bench.approve(number)
    bench.payee = Payee(failing=False)
    await Payer(bench.ledger, bench.payee, bench.clock_ms, PayerConfig(at_once=4)).round()
    assert Counter(payout.tournament_id for payout in bench.payee.carried_out.values()) == {5: 4, 6: 1}


async def test_two_payers_carry_nothing_out_twice(bench: Bench) -> None:
    await bench.end(5, list(range(60, 0, -1)), {"top_percent": 100, "item": "badge"})
    await bench.work(Steps(), automatic=False, rounds=1)
    await bench.approve(5)
    payers = [Payer(bench.ledger, bench.payee, bench.clock_ms, PayerConfig()) for _ in range(2)]
    while await bench.open_entries():
        await asyncio.gather(*(payer.round() for payer in payers))
        bench.now_ms += 120_000
    assert len(bench.payee.carried_out) == 60


async def play(bench: Bench, crash_at: int) -> bool:
    """Two tournaments to the last payment, with a disqualification and a process that is gone at one moment; whether it came to that."""
    await bench.end(5, [30, 20, 20, 10], PURSE, MUG)
    await bench.end(6, [7, 7, 7], {"ranks": [1, 2], "amount": "100.01", "currency": "EUR"})
    steps = Steps(crash_at)
    try:
        await bench.work(steps)
        await bench.hide(5, 1)
        await bench.work(steps)
        crashed = False
    except Crash:
        crashed = True
    await bench.work(Steps())
    if crashed and bench.states[5].ranking.rank(bench.states[5].members.users.slot(1)) is not None:
        await bench.hide(5, 1)
    await bench.work(Steps())
    await bench.approve(5)  # claw-backs
    await bench.work(Steps())
    return crashed


PAID = {(5, 2): 3334 + 1, (5, 3): 3334 + 1, (5, 4): 3334, (6, 1): 6668, (6, 2): 6667, (6, 3): 6667}


async def test_killed_at_every_step_nobody_is_paid_twice_and_nobody_is_forgotten() -> None:
    for crash_at in itertools.count():
        records = MemoryRecords()
        bench = Bench(records, MemoryPrizeLedger(records))
        crashed = await play(bench, crash_at)
        assert await bench.open_entries() == [], f"gone at step {crash_at}"
        assert bench.payee.totals() == PAID, f"gone at step {crash_at}"
        if not crashed:
            assert crash_at > 60, "fewer steps than there are"
            return


async def test_nor_with_the_real_store(tmp_path: Path) -> None:
    """Every eleventh step: the disk is synced at each."""
    empty = tmp_path / "empty.db"
    await (await SqlRecords.open(empty)).close()
    for crash_at in itertools.count(3, 11):
        path = tmp_path / f"records-{crash_at}.db"
        shutil.copy(empty, path)  # making the tables takes longer than all the rest
        records = await SqlRecords.open(path)
        bench = Bench(records, SqlPrizeLedger(records))
        crashed = await play(bench, crash_at)
        assert await bench.open_entries() == [], f"gone at step {crash_at}"
        assert bench.payee.totals() == PAID, f"gone at step {crash_at}"
        await records.close()
        if not crashed:
            return


def test_a_payout_of_money_and_one_of_things() -> None:
    entry = Entry(
        9, 1, 4, 2, "claw_back", 3, 1234567, "BHD", "", None, "approved", False, None, 0, 0, 11, 12, 0, "", "", 1
    )
    assert payout_of(entry) == Payout("9-1-4-2", "claw_back", 9, 4, 3, "1234.567", "BHD", "", 0, 11)
    things = payout_of(entry._replace(currency="", item="mug", units=2))
    assert (things.amount, things.item, things.pieces) == ("", "mug", 2)
