"""Pays what is approved: marks it as being paid, hands it to the payouts port, and notes what came of it.

Marked first, and with the key that it keeps: who is cut off between any two steps finds it marked, waits until nobody else can be at it, and
sends it again with the same key. So nothing is forgotten, and a payer that knows its keys pays nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from actors.domain.prizes.ledger import Entry, moved
from actors.domain.prizes.money import amount_text
from storage.ports import (
    LedgerChangedError,
    Payout,
    PayoutRefusedError,
    Payouts,
    PayoutUnavailableError,
    PrizeLedger,
    RecordsUnavailableError,
)

logger = logging.getLogger(__name__)

REASON_CHARS: Final = 250  # the column holds 255


@dataclass(frozen=True, slots=True)
class PayerConfig:
    """`at_once`: payouts under way. `lease_ms`: longer than a payout may take; then one that is marked is sent again. The first retry comes
    after `retry_ms`, each further one after twice as long up to `retry_max_ms`; after `max_attempts` it has failed."""

    at_once: int = 8
    lease_ms: int = 30_000
    retry_ms: int = 1000
    retry_max_ms: int = 3_600_000
    max_attempts: int = 24


class Payer:
    """See the module. `outcomes` counts what came of what was sent: `paid`, `refused`, `retried`, `given_up`."""

    def __init__(self, ledger: PrizeLedger, payouts: Payouts, clock_ms: Callable[[], int], config: PayerConfig) -> None:
        self._ledger = ledger
        self._payouts = payouts
        self._clock_ms = clock_ms
        self._config = config
        self.outcomes: Counter[str] = Counter()

    async def round(self) -> int:
        """Send what is due, a few of each of some tournaments; returns how many. Raises RecordsUnavailableError."""
        at_once = self._config.at_once
        due = await self._ledger.payable(self._clock_ms(), tournaments=at_once, each=at_once)
        gate = asyncio.Semaphore(at_once)
        groups = [list(entries) for _, entries in groupby(due, key=lambda entry: entry.tournament_id)]
        return sum(await asyncio.gather(*(self._pay_all(entries, gate) for entries in groups)))

    async def _pay_all(self, entries: Sequence[Entry], gate: asyncio.Semaphore) -> int:
        """Those of one tournament, whatever comes of others'."""
        tournament_id, now_ms = entries[0].tournament_id, self._clock_ms()
        marked = [
            moved(entry, "pay", now_ms, attempts=entry.attempts + 1, due_ms=now_ms + self._config.lease_ms)
            for entry in entries
        ]
        try:
            await self._ledger.write(tournament_id, marked)
        except LedgerChangedError:
            return 0  # revoked, or somebody else pays: the next round reads what is
        except RecordsUnavailableError as error:
            logger.warning("prizes of tournament %d are not paid now: %s", tournament_id, error)
            return 0

        async def pay(entry: Entry) -> None:
            async with gate:
                after = await self._sent(entry)
            try:
                await self._ledger.write(tournament_id, [after])
            except (LedgerChangedError, RecordsUnavailableError) as error:
                logger.warning("what came of payout %s is not noted, it is sent again: %s", entry.key, error)

        await asyncio.gather(*(pay(entry) for entry in marked))
        return len(marked)

    async def _sent(self, entry: Entry) -> Entry:
        """The entry after it was sent."""
        try:
            reference = await self._payouts.pay(payout_of(entry))
        except PayoutRefusedError as error:
            self.outcomes["refused"] += 1
            return self._failed(entry, str(error))
        except PayoutUnavailableError as error:
            if entry.attempts >= self._config.max_attempts:
                self.outcomes["given_up"] += 1
                return self._failed(entry, f"given up after {entry.attempts} attempts: {error}")
            self.outcomes["retried"] += 1
            pause_ms = min(self._config.retry_max_ms, self._config.retry_ms * 2 ** (entry.attempts - 1))
            due_ms = self._clock_ms() + max(pause_ms, round(error.after_s * 1000))
            return moved(entry, "pay", self._clock_ms(), reason=_cut(str(error)), due_ms=due_ms)
        self.outcomes["paid"] += 1
        return moved(entry, "settle", self._clock_ms(), reference=_cut(reference))

    def _failed(self, entry: Entry, why: str) -> Entry:
        logger.warning("payout %s failed: %s", entry.key, why)
        return moved(entry, "fail", self._clock_ms(), reason=_cut(why))


def payout_of(entry: Entry) -> Payout:
    """What is sent: the same, whenever it is sent."""
    money = bool(entry.currency)
    return Payout(
        key=entry.key,
        kind=entry.kind,
        tournament_id=entry.tournament_id,
        user_id=entry.user_id,
        rank=entry.rank,
        amount=amount_text(entry.units, entry.currency) if money else "",
        currency=entry.currency,
        item=entry.item,
        pieces=0 if money else entry.units,
        made_ms=entry.created_ms,
    )


def _cut(text: str) -> str:
    return text[:REASON_CHARS]
