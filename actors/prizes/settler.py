"""Makes the ledger of prizes follow the final tables: the job that the durable end of a tournament starts, and each change after it.

It may be cut off anywhere, and run by several at once: what it writes follows from the newest snapshot and from what is written, and each
entry is written in place of the version that was read. A tournament stays waiting until all of its entries are there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import UNSET

from actors.domain.codec import newest_state
from actors.domain.errors import SnapshotError
from actors.domain.prizes.allocation import Award, allocate
from actors.domain.prizes.erasure import erased_winners, standing_awards, without_groups
from actors.domain.prizes.ledger import Entry, reconcile
from actors.domain.prizes.rules import PrizeRule
from actors.domain.prizes.standings import final_table
from actors.domain.tournament import Tournament
from storage.ports import PrizeLedger, Records, StorageError, StoredSnapshot

logger = logging.getLogger(__name__)

WAITING_A_ROUND: Final = 1000  # tournaments that are looked at
AT_ONCE: Final = 4  # so that a large one holds up few
ENTRIES_A_WRITE: Final = 500  # one transaction: others that write wait for it about 10 ms on SQLite
AGAIN_MS: Final = 1000  # after what kept it from going on; twice as long with each time
AGAIN_MAX_MS: Final = 60_000
TOLD: Final = 1000  # winners of a tournament who get a notice: each is a transaction of its own
TELL_WITHIN_MS: Final = (
    86_400_000  # of the prize's being won: what was told is kept for days, and known by its key meanwhile
)


class Settler:
    """See the module. `approve` appends the command that approves a tournament's prizes where nobody need review them; None: somebody must.
    `tell` lets the winner of an entry know of it; it may be asked more than once."""

    def __init__(
        self,
        records: Records,
        ledger: PrizeLedger,
        clock_ms: Callable[[], int],
        approve: Callable[[Tournament], Awaitable[None]] | None = None,
        tell: Callable[[Tournament, Entry], Awaitable[None]] | None = None,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._clock_ms = clock_ms
        self._approve = approve
        self._tell = tell
        self._again: dict[int, tuple[int, int]] = {}  # when a tournament is looked at again, and after which pause
        self.waiting = 0
        self.settled = 0
        self.failures = 0

    async def round(self) -> int:
        """Settle what waits; returns how many tournaments the ledger follows now. Raises RecordsUnavailableError."""
        found = await self._ledger.waiting(WAITING_A_ROUND)
        self.waiting = len(found)
        self._again = {number: again for number, again in self._again.items() if number in found}
        now_ms = self._clock_ms()
        due = [number for number in found if self._again.get(number, (0, 0))[0] <= now_ms]
        gate = asyncio.Semaphore(AT_ONCE)

        async def settle(tournament_id: int) -> bool:
            async with gate:
                return await self._settle_or_wait(tournament_id, found[tournament_id])

        done = sum(await asyncio.gather(*(settle(number) for number in due)))
        self.settled += done
        self.waiting -= done
        return done

    async def _settle_or_wait(self, tournament_id: int, offset: int) -> bool:
        try:
            done = await self.settle(tournament_id, offset)
        except (StorageError, SnapshotError) as error:
            logger.warning("the prizes of tournament %d wait: %s", tournament_id, error)
            self.failures += 1
            done = False
        if done:
            self._again.pop(tournament_id, None)
        else:
            pause_ms = min(
                AGAIN_MAX_MS, 2 * self._again[tournament_id][1] if tournament_id in self._again else AGAIN_MS
            )
            self._again[tournament_id] = self._clock_ms() + pause_ms, pause_ms
        return done

    async def settle(self, tournament_id: int, offset: int) -> bool:
        """Make the ledger follow the table as of this offset, or a later one; False: something is just being paid, so later.

        Raises StorageError, and SnapshotError where no snapshot that is new enough can be read.
        """
        snapshots = await self._records.snapshots(tournament_id)
        state, rules, awards = await asyncio.to_thread(_decide, snapshots, offset)
        entries = await self._ledger.entries(tournament_id)
        approve = self._approve is not None and state.settled != ""
        erased = erased_winners(state, rules, entries)
        if erased:
            awards = standing_awards(state, entries, awards, erased)
        reopened = state.status != "finished"
        made = reconcile(tournament_id, rules, entries, awards, self._clock_ms(), approve=approve, reopened=reopened)
        if erased:
            made = without_groups(made, entries, erased)
        for start in range(0, len(made.entries), ENTRIES_A_WRITE):
            await self._ledger.write(tournament_id, made.entries[start : start + ENTRIES_A_WRITE])
        if made.deferred:
            return False
        if self._approve is not None and awards and not approve:
            await self._approve(state)  # it makes the tournament wait once more
        if self._tell is not None:
            now = {entry.key: entry for entry in (*entries, *made.entries)}
            fresh = [entry for entry in now.values() if self._is_news(state, entry)]
            for entry in sorted(fresh, key=lambda entry: entry.rank)[:TOLD]:
                await self._tell(state, entry)
        await self._ledger.write(tournament_id, [], upto=state.offset)
        return True

    def _is_news(self, state: Tournament, entry: Entry) -> bool:
        won = entry.kind == "prize" and entry.n == 0 and entry.state != "revoked"
        return won and won_ms(state, entry) > self._clock_ms() - TELL_WITHIN_MS


def won_ms(state: Tournament, entry: Entry) -> int:
    """When a prize was won: with its entry or, where the tournament was reopened since then, with its last end."""
    return max(entry.created_ms, state.finished_ms or 0)


def notice_key_of(state: Tournament, entry: Entry) -> str:
    """The key of the notice that a prize was won: another one where it is won again after the tournament was reopened."""
    at_ms = won_ms(state, entry)
    return f"prize_won-{entry.key}" if at_ms == entry.created_ms else f"prize_won-{entry.key}-{at_ms}"


def _decide(snapshots: Sequence[StoredSnapshot], offset: int) -> tuple[Tournament, Sequence[PrizeRule], list[Award]]:
    """The newest state that can be read, its rules and who wins what; nobody does in a tournament that was opened again."""
    state = newest_state(snapshots, offset)
    rules: Sequence[PrizeRule] = () if state.spec.prizes is UNSET else state.spec.prizes
    finished = state.status == "finished"
    return state, rules, allocate(rules, final_table(state, rules)) if finished else []
