"""What runs where and how far it is; servers and shards; who ordered what; how far notices are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from actors.domain.delivery import scope_name
from actors.domain.values import rfc3339
from serve_app.handlers.callers import Callers
from serve_app.handlers.listing import list_page, list_query, tournament_item
from serve_app.http.caching import PERSONAL
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem
from serve_app.http.query import query_int
from serve_app.services.reads import Reads
from storage.ports import (
    RUNNING,
    Finding,
    IngestReport,
    LogBounds,
    NoticeJob,
    Notices,
    Operations,
    OwnerReport,
    Records,
    ScopeReport,
    ScoreLog,
    Shards,
    TournamentRow,
)

A = TypeVar("A")
ACTORS_KEPT_S: Final = 1.0  # so many operators who look on ask as often as one
SERVERS_KEPT_S: Final = 5.0  # each look opens connections
HISTORIES: Final = 100  # tournaments whose histories are put together
ASKED_AT_ONCE: Final = 16
MOST_ORDERS: Final = 200
MOST_NOTICES: Final = 200
OVER: Final = ("finished", "cancelled")
_encode = msgspec.json.Encoder().encode


class Kept(Generic[A]):
    """One answer for all who ask while it is young; who comes while it is being fetched waits for the same."""

    def __init__(self, fetch: Callable[[], Awaitable[A]], for_s: float) -> None:
        self._fetch = fetch
        self._for_s = for_s
        self._until_s = 0.0
        self._task: asyncio.Future[A] | None = None

    async def get(self) -> A:
        """The answer. Raises what fetching raised, which is not kept."""
        task = self._task
        if task is None or (task.done() and (time.monotonic() >= self._until_s or task.exception() is not None)):
            task = self._task = asyncio.ensure_future(self._fetched())
        return await asyncio.shield(task)  # who leaves does not cancel it for the others

    async def _fetched(self) -> A:
        answer = await self._fetch()
        self._until_s = time.monotonic() + self._for_s
        return answer


class Actors(NamedTuple):
    """The owners and readers of the log as of one moment, and what its partitions held then."""

    owners: list[OwnerReport]
    ingests: list[IngestReport]
    bounds: dict[int, LogBounds]
    committed: dict[int, int]

    def holder(self, scope: str) -> tuple[OwnerReport, ScopeReport] | None:
        """Who holds a scope: of two the one of the later claim, the other has not heard of it yet."""
        found = [(owner, each) for owner in self.owners for each in owner.scopes if each.scope == scope]
        return max(found, key=lambda pair: pair[1].epoch, default=None)


class Servers(NamedTuple):
    """What was found of the servers, and the shards of the records, if there are any."""

    findings: list[Finding]
    shards: Shards | None


@dataclass(eq=False)
class OverviewHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    records: Records
    notices: Notices
    log: ScoreLog
    operations: Operations
    clock_ms: Callable[[], int]
    _actors: Kept[Actors] = field(init=False)
    _servers: Kept[Servers] = field(init=False)

    def __post_init__(self) -> None:
        self._actors = Kept(self._ask_actors, ACTORS_KEPT_S)
        self._servers = Kept(self._ask_servers, SERVERS_KEPT_S)

    async def placed_tournaments(self, request: Request) -> Response:
        """`GET /v1/operations/tournaments`: as the list of tournaments, each with its place."""
        principal = await self.callers.operator(request)
        page = await list_page(self.records, list_query(request, principal))
        actors = await self._actors.get()
        items = [{**tournament_item(row), **self._place(row, actors)} for row in page.rows]
        return _answer({"items": items, "next_cursor": page.next_cursor})

    async def placed_tournament(self, request: Request) -> Response:
        """`GET /v1/operations/tournaments/{tournament}`: its place, and how far its notices are told."""
        principal = await self.callers.operator(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        row = await self.records.tournament(known.tournament_id)
        jobs = await self.notices.progress(MOST_NOTICES, known.tournament_id)
        actors = await self._actors.get()
        unsaved = self._place_of(known.partition, known.tournament_id, actors, over=False)
        place = unsaved if row is None else self._place(row, actors)  # None: its first checkpoint is still to come
        return _answer({"id": known.text, **place, "notices": [self._notice(*job) for job in jobs]})

    async def running_actors(self, request: Request) -> Response:
        """`GET /v1/operations/actors`: owners, ingest actors and partitions."""
        await self.callers.operator(request)
        actors = await self._actors.get()
        reported = {each.partition: each for ingest in actors.ingests for each in ingest.partitions}
        partitions = []
        for partition, bound in sorted(actors.bounds.items()):
            progress = reported.get(partition)
            holder = actors.holder(scope_name(partition, 0))
            partitions.append(
                {
                    "partition": partition,
                    "records": bound.last - bound.start + 1,
                    "last": bound.last,
                    "committed": actors.committed.get(partition, -1),
                    "owner": None if holder is None else holder[0].name,
                    "lag_records": None if progress is None else progress.lag_records,
                    "lag_s": None if progress is None else self._age_s(progress.oldest_ms) or 0.0,
                    "stopped": None if progress is None else progress.stopped,
                }
            )
        return _answer(
            {
                "owners": [self._owner(owner) for owner in actors.owners],
                "ingest": [self._ingest(ingest) for ingest in actors.ingests],
                "partitions": partitions,
            }
        )

    async def server_health(self, request: Request) -> Response:
        """`GET /v1/operations/servers`: what `scripts/palio doctor` finds of servers, and the shards of the records."""
        await self.callers.operator(request)
        findings, shards = await self._servers.get()
        told = None
        if shards is not None:
            told = {
                "servers": [server._asdict() for server in shards.servers],
                "places": [place._asdict() for place in shards.places],
            }
        return _answer({"findings": [finding._asdict() for finding in findings], "shards": told})

    async def all_notices(self, request: Request) -> Response:
        """`GET /v1/operations/notices`: how far events are told, those that are not done first."""
        await self.callers.operator(request)
        limit = query_int(request.query, "limit", 50, 1, MOST_NOTICES)
        return _answer({"items": [self._notice(*job) for job in await self.notices.progress(limit)]})

    async def all_history(self, request: Request) -> Response:
        """`GET /v1/operations/history`: who ordered what in the newest tournaments, those that are not over and those that are."""
        principal = await self.callers.operator(request)
        limit = query_int(request.query, "limit", 50, 1, MOST_ORDERS)
        query = list_query(request, principal, HISTORIES)._replace(cursor=None)
        rows = (await self.records.list_tournaments(query)).rows
        gate = asyncio.Semaphore(ASKED_AT_ONCE)

        async def orders(row: TournamentRow) -> list[dict[str, Any]] | None:
            async with gate:
                try:
                    known = self.reads.fresh(row.tournament_id, public=row.visibility == "public")
                    reply = await self.reads.history(known)
                except Problem as problem:
                    if problem.status != 503:
                        raise
                    return None
            items = msgspec.json.decode(reply.body)["items"] if reply.found else []
            return [{"tournament_id": str(row.tournament_id), "tournament": row.name, **item} for item in items]

        told = await asyncio.gather(*map(orders, rows))
        found = sorted((item for items in told for item in items or ()), key=lambda item: item["at"], reverse=True)
        return _answer(
            {"items": found[:limit], "tournaments": len(rows), "silent": sum(items is None for items in told)}
        )

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _ask_actors(self) -> Actors:
        bounds, committed = await asyncio.gather(self.log.bounds(), self.log.committed())
        ends = {partition: bound.last for partition, bound in bounds.items()}
        owners, ingests = await asyncio.gather(self.operations.owners(), self.operations.ingests(ends))
        return Actors(owners, ingests, bounds, committed)

    async def _ask_servers(self) -> Servers:
        return Servers(*await asyncio.gather(self.operations.findings(), self.operations.shards()))

    def _place(self, row: TournamentRow, actors: Actors) -> dict[str, Any]:
        own = row.tournament_id if row.dedicated else 0
        return self._place_of(row.partition, own, actors, over=row.status in OVER)

    def _place_of(self, partition: int, own: int, actors: Actors, *, over: bool) -> dict[str, Any]:
        """Who holds a tournament, and how far behind the log's end they are; of one that is over nothing is awaited."""
        scope = scope_name(partition, own)
        holder = actors.holder(scope) or actors.holder(scope := scope_name(partition, 0))
        place: dict[str, Any] = {
            "partition": partition,
            "scope": scope,
            "owner": None,
            "node": None,
            "epoch": None,
            "lag_records": None,
            "lag_s": None,
        }
        if holder is None:
            return place
        owner, held = holder
        place |= {"owner": owner.name, "node": owner.node, "epoch": held.epoch}
        if not over:
            reported = (each for ingest in actors.ingests for each in ingest.partitions if each.partition == partition)
            progress = next(reported, None)
            place["lag_records"] = max(0, actors.bounds[partition].last - held.applied)
            place["lag_s"] = None if progress is None else self._age_s(progress.oldest_ms) or 0.0
        return place

    def _owner(self, owner: OwnerReport) -> dict[str, Any]:
        return {
            "name": owner.name,
            "state": owner.state,
            "node": owner.node,
            "process": owner.process,
            "scopes": len(owner.scopes),
            "catching_up": sum(not scope.ready for scope in owner.scopes),
            "active_tournaments": owner.active_tournaments,
            "unsaved_tournaments": owner.unsaved_tournaments,
            "checkpoint_age_s": owner.checkpoint_age_s,
            "checkpoint_failures": owner.checkpoint_failures,
        }

    def _ingest(self, ingest: IngestReport) -> dict[str, Any]:
        ages = [age for each in ingest.partitions if (age := self._age_s(each.oldest_ms)) is not None]
        return {
            "name": ingest.name,
            "state": ingest.state,
            "node": ingest.node,
            "process": ingest.process,
            "partitions": len(ingest.partitions),
            "stopped_partitions": sum(each.stopped for each in ingest.partitions),
            "buffered_records": ingest.buffered_records,
            "dead_letters": ingest.dead_letters,
            "lag_records": sum(each.lag_records for each in ingest.partitions),
            "lag_s": max(ages, default=0.0) if ingest.state == RUNNING else None,
        }

    def _notice(self, job: NoticeJob, waiting: int) -> dict[str, Any]:
        return {
            "tournament_id": str(job.tournament_id),
            "event": job.key.partition("-")[0],
            "key": job.key,
            "channel": job.channel,
            "made_at": rfc3339(job.made_ms),
            "done_at": None if job.done_ms is None else rfc3339(job.done_ms),
            "sent": job.sent,
            "failed": job.failed,
            "waiting": waiting,
        }

    def _age_s(self, time_ms: int | None) -> float | None:
        return None if time_ms is None else max(0, self.clock_ms() - time_ms) / 1000


def _answer(body: Any) -> Response:
    return Response(200, _encode(body), dict(PERSONAL))
