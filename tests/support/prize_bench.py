"""Prizes from the end to the payment, in one process, over real records: crashed anywhere, started again, compared with what is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from actors.domain.codec import encode_snapshot
from actors.domain.commands.erasure import erase
from actors.domain.events import StatusChanged
from actors.domain.messages import ApprovePrizes, End, Erase, Join, Spec
from actors.domain.prizes.ledger import Entry, State, moved
from actors.domain.prizes.rules import PrizeRule
from actors.domain.tournament import Tournament
from actors.owner.checkpoint.rows import outbox_rows, tournament_row
from actors.owner.entity import Entity, Scope
from actors.prizes.payer import Payer, PayerConfig
from actors.prizes.settler import Settler
from storage.ports import (
    Checkpoint,
    OutboxRow,
    Payout,
    PayoutUnavailableError,
    PrizeLedger,
    Records,
    StoredSnapshot,
    UserPrize,
)
from tests.support.histories import BEGIN_MS, Score, Step, create_of, fold, items_of

T = TypeVar("T")
START_MS = 1_800_000_000_000


class Crash(BaseException):
    """The process is gone."""


class Steps:
    """Counts the moments before and after each call to a port; the process is gone at one of them, and stays so."""

    def __init__(self, crash_at: int = -1) -> None:
        self.crash_at = crash_at
        self.passed = 0
        self.dead = False

    def moment(self) -> None:
        if self.dead or self.passed == self.crash_at:
            self.dead = True
            raise Crash
        self.passed += 1

    async def around(self, call: Callable[[], Awaitable[T]]) -> T:
        self.moment()
        answer = await call()
        self.moment()
        return answer


class CrashingLedger:
    """A ledger whose writes may be the last thing that happens, or not happen."""

    def __init__(self, ledger: PrizeLedger, steps: Steps) -> None:
        self._ledger = ledger
        self._steps = steps

    async def waiting(self, limit: int) -> dict[int, int]:
        return await self._ledger.waiting(limit)

    async def waits(self, tournament_id: int) -> bool:
        return await self._ledger.waits(tournament_id)

    async def entries(self, tournament_id: int) -> list[Entry]:
        return await self._steps.around(lambda: self._ledger.entries(tournament_id))

    async def write(self, tournament_id: int, entries: Sequence[Entry], upto: int = -1) -> None:
        await self._steps.around(lambda: self._ledger.write(tournament_id, entries, upto))

    async def payable(self, now_ms: int, tournaments: int, each: int) -> list[Entry]:
        return await self._ledger.payable(now_ms, tournaments, each)

    async def user_prizes(self, user_id: int, cursor: str | None, limit: int) -> tuple[list[UserPrize], str | None]:
        return await self._ledger.user_prizes(user_id, cursor, limit)

    async def counts(self) -> Mapping[State, int]:
        return await self._ledger.counts()


class Payee:
    """Payouts that are carried out once a key, and that fail half the time: as often before as after."""

    def __init__(self, failing: bool = True) -> None:
        self.carried_out: dict[str, Payout] = {}
        self.asked = 0
        self.failing = failing

    async def pay(self, payout: Payout) -> str:
        self.asked += 1
        if self.failing and self.asked % 4 == 1:
            raise PayoutUnavailableError("not now")
        assert self.carried_out.setdefault(payout.key, payout) == payout, "a key means one payout for ever"
        if self.failing and self.asked % 4 == 3:
            raise PayoutUnavailableError("done, but you do not hear it")
        return f"ref-{payout.key}"

    async def close(self) -> None:
        return None

    def totals(self) -> Counter[tuple[int, int]]:
        """What each user of a tournament has, in cents or pieces."""
        totals: Counter[tuple[int, int]] = Counter()
        for payout in self.carried_out.values():
            units = round(float(payout.amount) * 100) if payout.currency else payout.pieces
            totals[payout.tournament_id, payout.user_id] += units if payout.kind == "prize" else -units
        return +totals


class CrashingPayee:
    def __init__(self, payee: Payee, steps: Steps) -> None:
        self._payee = payee
        self._steps = steps

    async def pay(self, payout: Payout) -> str:
        return await self._steps.around(lambda: self._payee.pay(payout))

    async def close(self) -> None:
        return None


class Bench:
    """Tournaments as their owner stores them, the ledger, a payee and a clock; `work` is what the job's process does."""

    def __init__(self, records: Records, ledger: PrizeLedger) -> None:
        self.records = records
        self.ledger = ledger
        self.payee = Payee()
        self.now_ms = START_MS
        self.states: dict[int, Tournament] = {}

    def clock_ms(self) -> int:
        return self.now_ms

    async def end(
        self, tournament_id: int, scores: Sequence[int], *rules: dict[str, Any], countries: Sequence[str] = ()
    ) -> None:
        """A finished tournament of users 1, 2, ... with these scores, and of these countries where it has that board."""
        prizes = msgspec.convert(rules, tuple[PrizeRule, ...])
        spec = Spec(
            name=f"T{tournament_id}",
            type="scheduled",
            starts_ms=BEGIN_MS,
            ends_ms=BEGIN_MS * 9,
            ties="shared",
            prizes=prizes or UNSET,
            boards=["country"] if countries else UNSET,
        )
        users = range(1, len(scores) + 1)
        attributes: list[Any] = [{"country": country} for country in countries] or [UNSET] * len(scores)
        joins = [
            Join(command_id=f"j{user}", user_id=str(user), attributes=theirs)
            for user, theirs in zip(users, attributes, strict=True)
        ]
        played = [Score(user, "e", score) for user, score in zip(users, scores, strict=True)]
        steps = [Step(BEGIN_MS, what) for what in (create_of(spec), *joins, *played, End(command_id="end"))]  # type: ignore[arg-type]
        state = fold(items_of(steps))
        state.tournament_id = tournament_id
        self.states[tournament_id] = state
        await self.save(state)

    async def save(self, state: Tournament, effects: Sequence[OutboxRow] | None = None) -> None:
        """As its owner's checkpoint; without `effects`, with those of its state."""
        row = tournament_row(state, 0)
        snapshot = StoredSnapshot(state.tournament_id, state.partition, state.offset, encode_snapshot(state))
        if effects is None:
            effects = outbox_rows(Entity(state, Scope(state.partition, 0, 0, 0, 0)))
        await self.records.save(Checkpoint([row], [snapshot], [], effects, []))

    async def change(self, tournament_id: int, **changes: Any) -> None:
        """A record after the end was applied, and is durable."""
        state = self.states[tournament_id]
        for name, value in changes.items():
            setattr(state, name, value)
        state.offset += 3
        await self.save(state)

    async def reopen(self, tournament_id: int) -> None:
        """It runs again, and that is durable; `change` it to end it."""
        state = self.states[tournament_id]
        entity = Entity(state, Scope(state.partition, 0, 0, 0, 0))
        state.status, state.offset, state.finished_ms = "running", state.offset + 3, None
        entity.note(StatusChanged(state.offset, "finished", "running", self.now_ms, "command"))
        await self.save(state, outbox_rows(entity))

    async def hide(self, tournament_id: int, user: int, *, shown: bool = False) -> None:
        """A user is disqualified, or reinstated."""
        state = self.states[tournament_id]
        slot = state.members.users.slot(user)
        state.members.active[slot] = shown
        (state.ranking.show if shown else state.ranking.hide)(slot)
        await self.change(tournament_id)

    async def erase(self, tournament_id: int, user: int) -> None:
        """A user's name and groups are forgotten."""
        state = self.states[tournament_id]
        erase(state, state.offset, Erase(command_id="e", user_id=str(user)), user)
        await self.change(tournament_id)

    async def approve_automatically(self, state: Tournament) -> None:
        """The command is in the log: its owner applies it, some time."""
        assert ApprovePrizes(command_id="c").after_end
        if self.states[state.tournament_id].status == "finished":
            await self.change(state.tournament_id, settled="approved")

    async def work(self, steps: Steps, *, automatic: bool = True, rounds: int = 60, max_attempts: int = 24) -> None:
        """What a process does until nothing is left to do, or until it is gone."""
        ledger, payee = CrashingLedger(self.ledger, steps), CrashingPayee(self.payee, steps)

        async def approve(state: Tournament) -> None:
            await steps.around(lambda: self.approve_automatically(state))

        settler = Settler(self.records, ledger, self.clock_ms, approve if automatic else None)
        payer = Payer(ledger, payee, self.clock_ms, PayerConfig(at_once=3, max_attempts=max_attempts))
        for _ in range(rounds):
            self.now_ms += 120_000
            done = await settler.round() + await payer.round()
            if not done and not await self.open_entries():
                return

    async def open_entries(self) -> list[str]:
        """What is not settled yet, though nobody need review or claim it."""
        waiting = await self.ledger.waiting(100)
        due = await self.ledger.payable(2**62, 100, 1000)
        return [*map(str, waiting), *(entry.key for entry in due)]

    async def approve(self, tournament_id: int) -> None:
        """An operator approves everything that waits for it."""
        entries = await self.ledger.entries(tournament_id)
        changed = [moved(entry, "approve", self.now_ms, 7) for entry in entries if entry.state == "pending_review"]
        await self.ledger.write(tournament_id, changed)
