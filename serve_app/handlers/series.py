"""Series and boards: which tournaments a tournament opened, and what comes next."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from actors.domain.series.schedule import next_times
from actors.domain.values import parse_id, rfc3339
from serve_app.handlers.callers import Callers
from serve_app.http.caching import NO_STORE, PERSONAL, reply_response
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem
from serve_app.http.query import query_int
from serve_app.services.reads import Reads, unknown_tournament
from storage.ports import CohortsQuery, Owners, Records, RecordsUnavailableError, SeriesQuery

NEXT: Final = 5  # times that are told beyond what is open
ASKED_AT_ONCE: Final = 16
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SeriesHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    owners: Owners
    records: Records

    async def series(self, request: Request) -> Response:
        """`GET /v1/series/{id}`: for whoever may see the series."""
        principal = await self.callers.principal(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        reply = await self.owners.read(known.tournament_id, SeriesQuery())
        if not reply.found:
            raise Problem(404, "series_unknown", f"tournament {known.text} is no series")
        shown: dict[str, Any] = msgspec.json.decode(reply.body)
        last_ms, recurrence = shown.pop("last_ms"), shown["recurrence"]
        over = shown["status"] in ("finished", "cancelled")
        times = [] if over else _next_times(recurrence, last_ms)
        gate = asyncio.Semaphore(ASKED_AT_ONCE)

        async def told(item: dict[str, Any]) -> dict[str, Any]:
            async with gate:
                return {**item, **await self._standing(parse_id(item["id"]))}

        shown["tournaments"] = await asyncio.gather(*map(told, shown["tournaments"]))
        return Response(200, _encode({**shown, "next": times}), dict(PERSONAL if known.public else NO_STORE))

    async def _standing(self, tournament_id: int) -> dict[str, Any]:
        """Its status and participants as the records have them, which learn of them a little later than owners."""
        try:
            row = await self.records.tournament(tournament_id)
        except RecordsUnavailableError:
            row = None
        if row is None:
            return {"status": None, "participants": None}
        return {"status": row.status, "participants": row.participants}

    async def cohorts(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/cohorts`: the boards, by number."""
        principal = await self.callers.principal(request)
        start = query_int(request.query, "cursor", 0, 0, 2**31 - 1)
        limit = query_int(request.query, "limit", 50, 1, 100)
        known = await self.reads.visible(request.path["tournament"], principal)
        reply = await self.owners.read(known.tournament_id, CohortsQuery(start, limit))
        if not reply.found:
            raise unknown_tournament(known.text)
        return reply_response(request, reply._replace(etag=""))


def _next_times(recurrence: Mapping[str, Any], last_ms: int) -> list[str]:
    try:
        return [rfc3339(at) for at in next_times(recurrence["cron"], recurrence["time_zone"], last_ms, NEXT)]
    except ValueError:  # a zone that this version does not know any more
        return []
