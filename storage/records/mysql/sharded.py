"""Records over shards of MySQL: each tournament, with everything of it, lies on the shard of its slot.

A `save` is one transaction for each shard, all at once, and what covers several shards comes last: the offset of a scope such as
`partition-7`, kept on shard 0, is written once the transactions of all shards are durable (with shard 0's own rows, where no other
shard has any). So when it is there, all that it stands for is. A `save` that fails on some shards tells which tournaments lie there
(`RecordsUnavailableError.unsaved`); it is made whole by saving again, which changes nothing where it was made. The scope
`tournament-<id>` lies with its tournament.

What recovery reads comes from the primaries alone, each within a bounded time; so the shard of a primary that is away can be shown, from
its replicas, but not recovered. Pages are merged over all shards; their cursors name a place in the one order of
all rows.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, ProgrammingError

from storage.ports.errors import RecordsUnavailableError
from storage.ports.records import Checkpoint, ListQuery, OutboxRow, Page, ParticipantRow, StoredSnapshot, TournamentRow
from storage.records.mysql.engine import MysqlOptions
from storage.records.mysql.open import CATALOG, open_shards
from storage.records.mysql.primary import Ask
from storage.records.mysql.shard import ServerHealth, Shard
from storage.records.mysql.slots import SlotMap, stored_slots
from storage.records.sql import queries as records_queries
from storage.records.sql.checkpoint_writer import check_and_order

T = TypeVar("T")
TOURNAMENT_SCOPE = "tournament-"


class ShardedRecords:
    """See the module and `storage.ports.records.Records`. Made by `open`; belongs to one event loop."""

    def __init__(self, shards: Sequence[Shard], slots: SlotMap) -> None:
        self.shards = list(shards)
        self.slots = slots
        for shard in shards:
            shard.primary.slots_version = slots.version

    @classmethod
    async def open(cls, options: MysqlOptions, *, every_primary: bool = False) -> ShardedRecords:
        """Make or migrate each shard's tables, see that it is the shard it should be, and read where slots lie.

        Once that was done, primaries may be away (see `storage.records.mysql.open`), unless `every_primary` is wanted. One that then turns out
        to be something else when it is back is refused by every call that needs it, with StorageError, and nothing is written to it.
        Raises ValueError (no shards), RecordsUnavailableError (a primary), StorageVersionError (newer; nothing was touched there) and
        StorageError (other tables, another shard, slots of a shard that is not configured).
        """
        if not options.shards:
            raise ValueError("expected at least one shard")
        shards = [Shard(options, number) for number in range(len(options.shards))]
        try:
            return cls(shards, await open_shards(options, shards, every_primary=every_primary))
        except BaseException as error:
            await asyncio.gather(*(shard.close() for shard in shards))
            if isinstance(error, DBAPIError | OSError):
                raise RecordsUnavailableError(str(getattr(error, "orig", None) or error)) from error
            raise

    async def save(self, checkpoint: Checkpoint) -> None:
        """See `Records.save` and the module."""
        parts, last = self._split(await check_and_order(checkpoint))
        if last.projected and parts.keys() == {CATALOG}:
            rows = parts.pop(CATALOG)
            last = rows._replace(projected=sorted([*rows.projected, *last.projected]))
        outcomes = await asyncio.gather(
            *(self.shards[number].save(part) for number, part in parts.items()), return_exceptions=True
        )
        troubles: list[str] = []
        unsaved: set[int] = set()
        for part, outcome in zip(parts.values(), outcomes, strict=True):
            if isinstance(outcome, RecordsUnavailableError):
                troubles.append(str(outcome))
                unsaved |= _tournaments_of(part)
            elif outcome is not None:
                raise outcome
        if not troubles and last.projected:
            try:
                await self.shards[CATALOG].save(last)
            except RecordsUnavailableError as error:
                troubles.append(str(error))
                unsaved |= _tournaments_of(last)
        if troubles:
            raise RecordsUnavailableError("; ".join(troubles), frozenset(unsaved))

    async def snapshot(self, tournament_id: int) -> StoredSnapshot | None:
        """See `Records.snapshot`."""
        return await self._home(tournament_id).primary.ask(lambda records: records.snapshot(tournament_id))

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.snapshots`."""
        return await self._home(tournament_id).primary.ask(lambda records: records.snapshots(tournament_id))

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.settled_snapshots`."""
        return await self._home(tournament_id).read_settled(lambda records: records.snapshots(tournament_id))

    async def shown_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.shown_snapshots`."""
        return await self._home(tournament_id).read_by_key(lambda records: records.snapshots(tournament_id))

    async def active(self, partition: int, *, dedicated: bool) -> list[int]:
        """See `Records.active`; lowest id first."""
        found = await self._of_each_primary(lambda records: records.active(partition, dedicated=dedicated))
        return sorted(number for numbers in found for number in numbers)

    async def projected(self, scopes: Sequence[str]) -> dict[str, int]:
        """See `Records.projected`."""
        found = dict.fromkeys(scopes, -1)
        homes: dict[int, list[str]] = {}
        for scope in found:
            homes.setdefault(self._home_of_scope(scope), []).append(scope)

        async def ask(home: int, part: list[str]) -> dict[str, int]:
            return await self.shards[home].primary.ask(lambda records: records.projected(part))

        for offsets in await _all(ask(home, part) for home, part in homes.items()):
            found |= offsets
        # what stands for tournaments on all shards says of each of them that they are durable there
        told = self.shards if any(_tournament_of(scope) is None for scope in found) else [self.shards[n] for n in homes]
        await asyncio.gather(*(shard.primary.note_position() for shard in told))
        return found

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]:
        """See `Records.outbox`."""
        found = await self._of_each_primary(lambda records: records.outbox(limit, tournament_id))
        return list(heapq.merge(*found))[:limit]

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        """See `Records.tournament`."""
        return await self._home(tournament_id).read_by_key(lambda records: records.tournament(tournament_id))

    async def list_tournaments(self, query: ListQuery) -> Page:
        """See `Records.list_tournaments`."""
        pages = await self._on_each(lambda records: records.list_tournaments(query))
        rows = _newest_first((page.rows for page in pages), lambda row: (row.created_ms, row.tournament_id))
        if len(rows) <= query.limit and all(page.next_cursor is None for page in pages):
            return Page(rows, None)
        last = rows[query.limit - 1]
        return Page(rows[: query.limit], records_queries.encode_cursor(last.created_ms, last.tournament_id))

    async def user_tournaments(
        self, user_id: int, cursor: str | None, limit: int
    ) -> tuple[list[tuple[TournamentRow, ParticipantRow]], str | None]:
        """See `Records.user_tournaments`."""
        pages = await self._on_each(lambda records: records.user_tournaments(user_id, cursor, limit))
        rows = _newest_first((page for page, _ in pages), lambda pair: (pair[1].joined_ms, pair[1].tournament_id))
        if len(rows) <= limit and all(further is None for _, further in pages):
            return rows, None
        last = rows[limit - 1][1]
        return rows[:limit], records_queries.encode_cursor(last.joined_ms, last.tournament_id)

    async def close(self) -> None:
        """See `Records.close`."""
        await asyncio.gather(*(shard.close() for shard in self.shards))

    async def _on_each(self, ask: Ask[T]) -> list[T]:
        return await _all(shard.read(ask) for shard in self.shards)

    async def _of_each_primary(self, ask: Ask[T]) -> list[T]:
        return await _all(shard.primary.ask(ask) for shard in self.shards)

    def _home(self, tournament_id: int) -> Shard:
        return self.shards[self.slots.shard_of(tournament_id)]

    def _home_of_scope(self, scope: str) -> int:
        tournament_id = _tournament_of(scope)
        return CATALOG if tournament_id is None else self.slots.shard_of(tournament_id)

    def _split(self, whole: Checkpoint) -> tuple[dict[int, Checkpoint], Checkpoint]:
        """The part of each shard that has one, and what comes after all of them; rows stay in their order."""
        parts: dict[int, Checkpoint] = {}

        def part(number: int) -> Any:
            return parts.setdefault(number, Checkpoint([], [], [], [], []))

        for name in ("tournaments", "snapshots", "participants", "outbox"):
            for tournament_id, rows in itertools.groupby(getattr(whole, name), key=attrgetter("tournament_id")):
                getattr(part(self.slots.shard_of(tournament_id)), name).extend(rows)
        shared = []
        for projected in whole.projected:
            tournament_id = _tournament_of(projected[0])
            if tournament_id is None:
                shared.append(projected)
            else:
                part(self.slots.shard_of(tournament_id)).projected.append(projected)
        return parts, Checkpoint([], [], [], [], shared)


def _tournament_of(scope: str) -> int | None:
    """The tournament that a scope is of alone, None for one of many."""
    number = scope.removeprefix(TOURNAMENT_SCOPE)
    return int(number) if number != scope and number.isascii() and number.isdigit() else None


def _tournaments_of(part: Checkpoint) -> set[int]:
    """All that a part says something of, if it is only how far their own scopes are projected."""
    scopes = {_tournament_of(scope) for scope, _, _ in part.projected}
    rows = {row.tournament_id for row in part.tournaments} | {row.tournament_id for row in part.snapshots}
    return rows | {number for number in scopes if number is not None}


async def look(options: MysqlOptions) -> tuple[SlotMap | None, list[ServerHealth]]:
    """Where slots lie (None: nobody can say, or nothing was made yet) and how every server answers; changes nothing."""
    shards = [Shard(options, number) for number in range(len(options.shards))]
    try:
        health = [server for shard in await _all(shard.health() for shard in shards) for server in shard]
        try:
            slots = await shards[CATALOG].read_by_key(lambda records: records.run(stored_slots))
        except (RecordsUnavailableError, ProgrammingError):  # no server; no such table
            slots = None
        return slots, health
    finally:
        await asyncio.gather(*(shard.close() for shard in shards))


async def _all(asked: Iterable[Awaitable[T]]) -> list[T]:
    """All answers at once; the first error once all have ended, so that nothing goes on behind the caller's back."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    found: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found


def _newest_first(pages: Iterable[Sequence[T]], place: Callable[[T], tuple[int, int]]) -> list[T]:
    return list(heapq.merge(*pages, key=place, reverse=True))
