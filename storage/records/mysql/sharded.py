"""Records over shards of MySQL: a partition of the log lies on one shard, with everything of its tournaments and its offsets.

So a `save` is one transaction on one shard, and a shard that is away is missed by its own partitions alone. Where they lie is read when the
store is opened, and again from whoever refuses because a partition has been moved, or, while a shard is away, from the others.

What recovery reads comes from the primary alone, within a bounded time; so the shard of a primary that is away can be shown, from its
replicas, but not recovered. Pages are merged over all shards; their cursors name a place in the one order of all rows.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.values import partition_of
from storage.ports.errors import RecordsUnavailableError
from storage.ports.records import Checkpoint, ListQuery, OutboxRow, Page, ParticipantRow, StoredSnapshot, TournamentRow
from storage.records.mysql.engine import MysqlOptions
from storage.records.mysql.open import open_shards
from storage.records.mysql.primary import Ask
from storage.records.mysql.shard import ServerHealth, Shard
from storage.records.sql import queries as records_queries
from storage.records.sql.checkpoint_writer import partition_of_checkpoint
from storage.records.sql.database import SqlRecords
from storage.records.sql.partitions import Place, PlacedElsewhereError, newest, stored_places

T = TypeVar("T")


class ShardedRecords:
    """See the module and `storage.ports.records.Records`. Made by `open`; belongs to one event loop."""

    def __init__(self, options: MysqlOptions, shards: Sequence[Shard], places: dict[int, Place]) -> None:
        self.shards = list(shards)
        self.places = places
        self._refresh_interval_s = options.probe_interval_ms / 1000
        self._refreshed_s = float("-inf")  # when the shards were last asked where partitions lie

    @classmethod
    async def open(
        cls, options: MysqlOptions, partitions: int, tell: Callable[[str], None] | None = None
    ) -> ShardedRecords:
        """Make or migrate each shard's tables, see that it is the shard it should be, and read where the log's `partitions` lie.

        Once that was done, primaries may be away (see `storage.records.mysql.open`). One that then turns out to be something else when it is
        back is refused by every call that needs it, with StorageError, and nothing is written to it. `tell` hears how far it is with
        what takes long. Raises ValueError (no shards), RecordsUnavailableError (a primary), StorageVersionError (newer; nothing was
        touched there) and StorageError (other tables, another shard, partitions on a shard that is not configured).
        """
        if not options.shards:
            raise ValueError("expected at least one shard")
        shards = [Shard(options, number, partitions) for number in range(len(options.shards))]
        try:
            return cls(options, shards, await open_shards(options, shards, partitions, tell))
        except BaseException as error:
            await asyncio.gather(*(shard.close() for shard in shards))
            if isinstance(error, DBAPIError | OSError):
                raise RecordsUnavailableError(str(getattr(error, "orig", None) or error)) from error
            raise

    async def save(self, checkpoint: Checkpoint) -> None:
        """See `Records.save`."""
        await self._at(partition_of_checkpoint(checkpoint), lambda shard: shard.primary.save(checkpoint))

    async def save_each(self, checkpoints: Sequence[Checkpoint]) -> list[RecordsUnavailableError | None]:
        """See `Records.save_each`: one after the other, each in a transaction on its shard."""
        errors: list[RecordsUnavailableError | None] = []
        for checkpoint in checkpoints:
            try:
                await self.save(checkpoint)
            except RecordsUnavailableError as error:
                errors.append(error)
            else:
                errors.append(None)
        return errors

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.snapshots`."""
        return await self._of_primary(self._partition(tournament_id), lambda records: records.snapshots(tournament_id))

    async def snapshots_of(self, partition: int, tournament_ids: Sequence[int]) -> dict[int, list[StoredSnapshot]]:
        """See `Records.snapshots_of`."""
        return await self._of_primary(partition, lambda records: records.snapshots_of(partition, tournament_ids))

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.settled_snapshots`."""
        return await self._at(
            self._partition(tournament_id),
            lambda shard: shard.read_settled(lambda records: records.snapshots(tournament_id)),
        )

    async def shown_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.shown_snapshots`."""
        return await self._by_key(tournament_id, lambda records: records.snapshots(tournament_id))

    async def active(self, partition: int, *, dedicated: bool) -> list[int]:
        """See `Records.active`; lowest id first."""
        return await self._of_primary(partition, lambda records: records.active(partition, dedicated=dedicated))

    async def projected(self, partition: int, scopes: Sequence[str]) -> dict[str, int]:
        """See `Records.projected`."""

        async def ask(shard: Shard) -> dict[str, int]:
            found = await shard.primary.ask(lambda records: records.projected(partition, scopes))
            await shard.primary.note_position()  # it has all that these offsets stand for
            return found

        return await self._at(partition, ask)

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]:
        """See `Records.outbox`."""
        if tournament_id is not None:
            return await self._of_primary(
                self._partition(tournament_id), lambda records: records.outbox(limit, tournament_id)
            )
        found = await _all(shard.primary.ask(lambda records: records.outbox(limit)) for shard in self.shards)
        return list(heapq.merge(*found))[:limit]

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        """See `Records.tournament`."""
        return await self._by_key(tournament_id, lambda records: records.tournament(tournament_id))

    async def list_tournaments(self, query: ListQuery) -> Page:
        """See `Records.list_tournaments`."""
        pages = await self._on_each(lambda records: records.list_tournaments(query))
        return Page(*_merged(pages, query.limit, records_queries.place_in_list))

    async def user_tournaments(
        self, user_id: int, cursor: str | None, limit: int
    ) -> tuple[list[tuple[TournamentRow, ParticipantRow]], str | None]:
        """See `Records.user_tournaments`."""
        pages = await self._on_each(lambda records: records.user_tournaments(user_id, cursor, limit))
        return _merged(pages, limit, records_queries.place_of_user)

    async def took_part(self, user_id: int, after: int, limit: int) -> list[int]:
        """See `Records.took_part`."""
        found = await _all(
            shard.primary.ask(lambda records: records.took_part(user_id, after, limit)) for shard in self.shards
        )
        return sorted({number for numbers in found for number in numbers})[:limit]

    async def read_of(self, tournament_id: int, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `ask` finds in a transaction that reads on the primary that holds a tournament."""
        return await self._of_primary(
            self._partition(tournament_id), lambda records: records.read_of(tournament_id, ask)
        )

    async def write_of(self, tournament_id: int, work: Callable[[AsyncConnection, int], Awaitable[T]]) -> T:
        """What `work` does in a transaction that writes on that primary; see `SqlRecords.write_of`."""
        return await self._of_primary(
            self._partition(tournament_id), lambda records: records.write_of(tournament_id, work)
        )

    async def read_of_many(
        self, tournament_ids: Sequence[int], ask: Callable[[AsyncConnection, Sequence[int]], Awaitable[T]]
    ) -> list[T]:
        """What `ask` finds on each primary of those of these tournaments that it holds, in one transaction; of those that answer, at least
        one."""
        return await self._of_primaries(tournament_ids, lambda records, mine: records.read_of_many(mine, ask))

    async def write_of_many(
        self, tournament_ids: Sequence[int], work: Callable[[AsyncConnection, Sequence[int]], Awaitable[T]]
    ) -> list[T]:
        """What `work` does there in a transaction that writes; see `SqlRecords.write_of_many`."""
        return await self._of_primaries(tournament_ids, lambda records, mine: records.write_of_many(mine, work))

    async def read_each(
        self, ask: Callable[[AsyncConnection, Sequence[int] | None], Awaitable[T]], *, of_all: bool = True
    ) -> list[T]:
        """What `ask` finds on each shard's primary; with `of_all` False on those that answer, at least one."""
        asked = (shard.primary.ask(lambda records: records.read_each(ask)) for shard in self.shards)
        if of_all:
            return [found for answer in await _all(asked) for found in answer]
        return await _those_that_answer(asked)

    async def read_first(self, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `ask` finds on the first shard's primary, where what belongs to no tournament is."""
        return await self.shards[0].primary.ask(lambda records: records.read_first(ask))

    async def write_first(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `work` does there in a transaction that writes; see `SqlRecords.write_first`."""
        return await self.shards[0].primary.ask(lambda records: records.write_first(work))

    async def write_each(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> list[T]:
        """What `work` does on each shard's primary, in a transaction of its own."""
        done = await _all(shard.primary.ask(lambda records: records.write_each(work)) for shard in self.shards)
        return [each for one in done for each in one]

    async def close(self) -> None:
        """See `Records.close`."""
        await asyncio.gather(*(shard.close() for shard in self.shards))

    async def _on_each(self, ask: Ask[T]) -> list[T]:
        return await _all(shard.read(ask) for shard in self.shards)

    # -- where partitions lie ---------------------------------------------------------------------------------------

    def _partition(self, tournament_id: int) -> int:
        return partition_of(tournament_id, len(self.places))

    async def _of_primaries(
        self, tournament_ids: Sequence[int], ask: Callable[[SqlRecords, Sequence[int]], Awaitable[list[T]]]
    ) -> list[T]:
        """Answers of the primaries of these tournaments, each asked for its own. One of a partition that has just been moved does not answer."""
        held: dict[int, list[int]] = {}
        for number in tournament_ids:
            held.setdefault(self.places[self._partition(number)].shard, []).append(number)

        def asked(mine: Sequence[int]) -> Awaitable[list[T]]:
            return self._of_primary(self._partition(mine[0]), lambda records: ask(records, mine))

        return await _those_that_answer([asked(mine) for mine in held.values()])

    async def _of_primary(self, partition: int, ask: Ask[T]) -> T:
        return await self._at(partition, lambda shard: shard.primary.ask(ask))

    async def _by_key(self, tournament_id: int, ask: Ask[T]) -> T:
        return await self._at(self._partition(tournament_id), lambda shard: shard.read_by_key(ask))

    async def _at(self, partition: int, ask: Callable[[Shard], Awaitable[T]]) -> T:
        """An answer of the shard that holds a partition; of another one, if it turns out that it was moved there."""
        while True:
            place = self.places[partition]
            if place.shard >= len(self.shards):
                raise RecordsUnavailableError(
                    f"partition {partition} was moved to shard {place.shard}, of which this process has no address: start it anew"
                )
            try:
                return await ask(self.shards[place.shard])
            except PlacedElsewhereError as error:
                self._learn({partition: error.place})
                trouble = RecordsUnavailableError(
                    f"{error}; it is being moved here, or its move was cut off and is to be started again"
                )
            except RecordsUnavailableError as error:
                await self._refresh_places()
                trouble = error
            if self.places[partition].version <= place.version:
                raise trouble

    def _learn(self, places: dict[int, Place]) -> None:
        self.places = newest([self.places, places])

    async def _refresh_places(self) -> None:
        """Ask all shards where partitions lie, now and then: what lay on one that is away may have been moved before it went."""
        now_s = time.monotonic()
        if len(self.shards) == 1 or now_s < self._refreshed_s + self._refresh_interval_s:
            return
        self._refreshed_s = now_s
        asked = (shard.primary.ask_soon(lambda records: records.run(stored_places)) for shard in self.shards)
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, dict):
                self._learn(answer)


async def check_servers(options: MysqlOptions) -> tuple[dict[int, Place], list[ServerHealth]]:
    """Where partitions lie (nowhere: nobody can say, or nothing was made yet) and how every server answers; changes nothing."""
    shards = [Shard(options, number, 0) for number in range(len(options.shards))]
    try:
        health = [server for shard in await _all(shard.health() for shard in shards) for server in shard]
        asked = (shard.read_by_key(lambda records: records.run(stored_places)) for shard in shards)
        known = await asyncio.gather(*asked, return_exceptions=True)
        for answer in known:
            if isinstance(answer, BaseException) and not isinstance(answer, RecordsUnavailableError | ProgrammingError):
                raise answer  # these: no server; no such table
        return newest(places for places in known if isinstance(places, dict)), health
    finally:
        await asyncio.gather(*(shard.close() for shard in shards))


async def _those_that_answer(asked: Iterable[Awaitable[list[T]]]) -> list[T]:
    """All that is found by those that answer. Raises RecordsUnavailableError when none does, and any other error."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    away = [answer for answer in answers if isinstance(answer, BaseException)]
    for error in away:
        if len(away) == len(answers) or not isinstance(error, RecordsUnavailableError):
            raise error
    return [found for answer in answers if not isinstance(answer, BaseException) for found in answer]


async def _all(asked: Iterable[Awaitable[T]]) -> list[T]:
    """All answers at once; the first error once all have ended, so that nothing goes on behind the caller's back."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    found: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found


def _merged(
    pages: Sequence[tuple[list[T], str | None]], limit: int, place: Callable[[T], tuple[int, int]]
) -> tuple[list[T], str | None]:
    """The shards' pages as one, newest first; what moved from one shard to another between their answers is there once."""
    merged = heapq.merge(*(rows for rows, _ in pages), key=place, reverse=True)
    rows = [next(same) for _, same in itertools.groupby(merged, key=place)]
    return records_queries.page(rows, limit, place, more=any(cursor is not None for _, cursor in pages))
