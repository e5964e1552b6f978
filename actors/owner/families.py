"""Does what parents decided: opens the next tournaments of series, writes errands to children, moves a league's players by final tables.

All of it can be done again: what is opened and decided is judged by the fold, children are the same whoever makes them. So an owner that is
killed leaves nothing half done: the next one finds in the state what is still to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec import UNSET

from actors.domain.codec import decode_snapshot
from actors.domain.errors import SnapshotError
from actors.domain.messages import Control, Message, Open, Standings, Written, encode_message
from actors.domain.series.children import child_id, message_of, occurrence_id
from actors.domain.series.leagues import moves_of
from actors.domain.series.opening import due_occurrences
from actors.domain.signing import Signer
from actors.domain.tournament import Tournament
from actors.domain.values import partition_of
from actors.owner.change import Change
from actors.owner.entity import Entity
from storage.ports import LogUnavailableError, NewRecord, Records, RecordsUnavailableError, ScoreLog

logger = logging.getLogger(__name__)

SCAN_MS: Final = 1000  # all parents are looked at this often at least
RETRY_MS: Final = 4000  # after which what was appended and is not applied is appended again
MAX_ERRANDS: Final = 500  # of one parent in one append


class _Appended(NamedTuple):
    """Up to which offset of the parent's own partition it was told, and when."""

    offset: int
    at_ms: int


class Families:
    """`active` are the tournaments that are looked after. `errands`: how many wait to be written, as of the last scan."""

    def __init__(
        self,
        log: ScoreLog,
        records: Records,
        signer: Signer,
        active: Mapping[int, Entity],
        clock_ms: Callable[[], int],
        dedicated_capacity: int,
    ) -> None:
        self._log = log
        self._records = records
        self._signer = signer
        self._active = active
        self._clock_ms = clock_ms
        self._dedicated_capacity = dedicated_capacity
        self._wanted: set[int] = set()  # parents that changed
        self._appended: dict[int, _Appended] = {}
        self._scan_ms = 0
        self.errands = 0

    def note(self, change: Change) -> None:
        """A tournament changed by more than scores."""
        if change.entity.state.family is not None:
            self._wanted.add(change.entity.state.tournament_id)

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved)."""
        self._wanted.discard(tournament_id)
        self._appended.pop(tournament_id, None)

    async def write_due(self) -> int:
        """Do what is due by this clock; returns how many records were appended."""
        now_ms = self._clock_ms()
        if not 0 < self._scan_ms - now_ms <= SCAN_MS:
            self._scan_ms = now_ms + SCAN_MS
            parents = [entity.state for entity in self._active.values() if entity.state.family is not None]
            self._wanted.update(state.tournament_id for state in parents)
            self.errands = sum(len(state.family.errands) for state in parents if state.family is not None)
        wanted, self._wanted = self._wanted, set()
        appended = 0
        for tournament_id in wanted:
            entity = self._active.get(tournament_id)
            if entity is None or not entity.scope.ready or entity.state.over:
                continue
            told = self._appended.get(tournament_id)
            if told is not None and entity.state.offset < told.offset and 0 <= now_ms - told.at_ms < RETRY_MS:
                continue
            try:
                appended += await self._write(entity.state, now_ms)
            except (LogUnavailableError, RecordsUnavailableError) as error:
                logger.warning("what tournament %d opens waits: %s", tournament_id, error)
        return appended

    async def _write(self, state: Tournament, now_ms: int) -> int:
        """The errands first, then what makes new ones; each in one append, so that a parent's records keep their order."""
        family = state.family
        assert family is not None
        errands = family.errands[:MAX_ERRANDS]
        if errands:
            first = family.written
            children = [
                self._record(child_id(state, errand.place, errand.tier), self._message(state, first + n))
                for n, errand in enumerate(errands)
            ]
            await self._log.append(children)
            upto = first + len(errands)
            return len(children) + await self._tell(state, [Written(command_id=f"written:{upto}", upto=upto)], now_ms)
        orders: list[Control] = []
        if state.spec.recurrence is not UNSET:
            try:
                orders += self._openings(state, now_ms)
            except ValueError as error:  # a zone that is not in this version's rules
                logger.warning("series %d cannot go on: %s", state.tournament_id, error)
        if state.spec.league is not UNSET:
            orders += await self._standings(state, now_ms)
        return await self._tell(state, orders, now_ms) if orders else 0

    def _message(self, state: Tournament, number: int) -> Message:
        assert state.family is not None
        errand = state.family.errands[number - state.family.written]
        return message_of(state, errand, number, self._dedicated_capacity)

    def _openings(self, state: Tournament, now_ms: int) -> list[Open]:
        assert state.family is not None
        due, missed = due_occurrences(state, now_ms)
        orders = []
        after_ms = state.family.occurrences[-1] if state.family.occurrences else 0
        for starts_ms in due:
            command_id = f"open:{starts_ms}"
            orders.append(Open(command_id=command_id, after_ms=after_ms, starts_ms=starts_ms, missed=missed))
            after_ms, missed = starts_ms, 0
        return orders

    async def _standings(self, state: Tournament, now_ms: int) -> list[Standings]:
        """The moves by the first occurrence that has not moved anybody yet, once all its tables are final and durable."""
        family, spec = state.family, state.spec
        assert family is not None
        assert spec.league is not UNSET
        assert spec.recurrence is not UNSET
        starts_ms = next((at for at in family.occurrences if at > family.decided_ms), None)
        if starts_ms is None or now_ms < starts_ms:
            return []
        tables = []
        for tier in range(1, spec.league.tiers + 1):
            table = await self._final_table(occurrence_id(state, starts_ms, tier))
            if table is None:
                return []
            tables.append(table)
        moves = moves_of(tables, spec.league)
        return [Standings(command_id=f"standings:{starts_ms}", starts_ms=starts_ms, moves=moves)]

    async def _final_table(self, tournament_id: int) -> list[int] | None:
        """The users of a final table, best first; none of one that was cancelled. None while it is not over and durable."""
        row = await self._records.tournament(tournament_id)
        if row is None or row.status not in ("finished", "cancelled"):
            return None
        if row.status == "cancelled":
            return []
        for stored in await self._records.snapshots(tournament_id):
            try:
                state = decode_snapshot(stored.data, stored.deltas)
            except SnapshotError as error:
                logger.warning("the newest snapshot of tournament %d is passed over: %s", tournament_id, error)
                continue
            if state.status == "finished":
                users: list[int] = state.members.users.user_ids(state.ranking.slots(0, len(state.ranking))).tolist()
                return users
        return None

    async def _tell(self, state: Tournament, orders: list[Control] | list[Written], now_ms: int) -> int:
        offsets = await self._log.append([self._record(state.tournament_id, order) for order in orders])
        self._appended[state.tournament_id] = _Appended(max(offsets), now_ms)
        return len(offsets)

    def _record(self, tournament_id: int, message: Message) -> NewRecord:
        key, value = str(tournament_id).encode(), encode_message(message)
        partition = partition_of(tournament_id, self._log.partitions)
        return NewRecord(partition, key, value, self._signer.sign(key, value))
