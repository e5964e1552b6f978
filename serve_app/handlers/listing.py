"""Lists of tournaments: all, one user's, and a calendar, as the records have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from actors.domain.messages import Spec
from actors.domain.values import decimal_score, rfc3339
from actors.domain.views import spec_fields
from serve_app.formats.write.calendar import write_calendar
from serve_app.handlers.callers import Callers, path_user
from serve_app.http.caching import PERSONAL
from serve_app.http.headers import attachment
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import Problem, invalid
from serve_app.http.query import query_int
from serve_app.services.reads import Reads
from storage.ports import ListQuery, Page, ParticipantRow, Records, TournamentRow

MAX_QUERY_CHARS: Final = 200
STATUSES: Final = ("scheduled", "running", "finished", "cancelled")
TYPES: Final = ("scheduled", "instant", "series")
CALENDAR_STATUSES: Final = ("scheduled", "running", "cancelled")
MAX_EVENTS: Final = 500  # of each of these
ASKED_AT_ONCE: Final = 16  # owners, for one page of a list
_encode = msgspec.json.Encoder().encode
_spec: Final = msgspec.json.Decoder(Spec)


@dataclass(frozen=True, slots=True)
class ListHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    records: Records
    clock_ms: Callable[[], int]

    async def list_tournaments(self, request: Request) -> Response:
        """`GET /v1/tournaments`: newest first; private ones only to members, services and operators."""
        principal = await self.callers.principal(request)
        query = list_query(request, principal)
        page = await list_page(self.records, query)
        hidden = await self._hidden(page.rows, query)
        items = [tournament_item(row) for row in page.rows if row.tournament_id not in hidden]
        return Response(200, _encode({"items": items, "next_cursor": page.next_cursor}), dict(PERSONAL))

    async def calendar(self, request: Request) -> Response:
        """`GET /v1/tournaments.ics`: what is scheduled, runs or was cancelled and that the caller may see, the newest MAX_EVENTS of each."""
        principal = await self.callers.principal(request)
        rows: list[TournamentRow] = []
        for status in CALENDAR_STATUSES:
            query = ListQuery(
                status=status,
                type="scheduled",
                q=_search(request),
                viewer=principal and principal.user_id,
                see_all=principal is not None and principal.privileged,
                limit=100,
            )
            for _ in range(MAX_EVENTS // query.limit):
                page = await self.records.list_tournaments(query)
                hidden = await self._hidden(page.rows, query)
                rows += [row for row in page.rows if row.tournament_id not in hidden]
                if page.next_cursor is None:
                    break
                query = query._replace(cursor=page.next_cursor)
        body = await asyncio.to_thread(write_calendar, rows, self.clock_ms())
        headers = {**PERSONAL, "content-disposition": attachment("tournaments.ics")}
        return Response(200, body, headers, "text/calendar; charset=utf-8")

    async def _hidden(self, rows: Sequence[TournamentRow], query: ListQuery) -> set[int]:
        """The private tournaments that the viewer may not see any more: the records learn of a removal later than owners do.

        Where nobody can tell now, the records' word counts.
        """
        gate = asyncio.Semaphore(ASKED_AT_ONCE)

        async def hidden(row: TournamentRow) -> bool:
            async with gate:
                try:
                    return not (await self.reads.access(str(row.tournament_id), query.viewer))[1]
                except Problem as problem:
                    return problem.status == 404

        private = [row for row in rows if row.visibility == "private" and not query.see_all]
        answers = await asyncio.gather(*map(hidden, private))
        return {row.tournament_id for row, answer in zip(private, answers, strict=True) if answer}

    async def user_tournaments(self, request: Request) -> Response:
        """`GET /v1/users/{user}/tournaments`: newest joined first."""
        user_id = await self._readable_user(request)
        limit = query_int(request.query, "limit", 50, 1, 100)
        try:
            rows, cursor = await self.records.user_tournaments(user_id, request.query.get("cursor"), limit)
        except ValueError as error:
            raise invalid("cursor", "expected a cursor that an earlier page gave") from error
        parts = await self._standings(rows, request.principal)
        items = [
            {**tournament_item(row), "participation": part}
            for (row, _), part in zip(rows, parts, strict=True)
            if part is not None
        ]
        return Response(200, _encode({"items": items, "next_cursor": cursor}), dict(PERSONAL))

    async def _standings(
        self, rows: Sequence[tuple[TournamentRow, ParticipantRow]], principal: Principal | None
    ) -> list[dict[str, object] | None]:
        """How a user takes part in each: as of now where it goes on (None: no more), as stored where it is over or its owner is silent."""
        gate = asyncio.Semaphore(ASKED_AT_ONCE)

        async def standing(row: TournamentRow, part: ParticipantRow) -> dict[str, object] | None:
            stored = _participation(part)
            if row.status in ("finished", "cancelled"):
                return stored
            known = self.reads.fresh(row.tournament_id, public=row.visibility == "public")
            try:
                async with gate:
                    reply = await self.reads.participant(known, part.user_id, principal)
            except Problem:  # 503
                return stored
            if not reply.found:
                return None
            now = msgspec.json.decode(reply.body)
            return {name: now.get(name, value) for name, value in stored.items()}

        return await asyncio.gather(*(standing(row, part) for row, part in rows))

    async def _readable_user(self, request: Request) -> int:
        principal = await self.callers.caller(request)
        user_id = path_user(request, principal)
        if not principal.privileged and user_id != principal.user_id:
            raise Problem(403, "not_yours", "expected your own user id")
        return user_id


def list_query(request: Request, principal: Principal | None, limit: int | None = None) -> ListQuery:
    """What a request asks of the list of tournaments, and what the caller may see of it; `limit` in place of the request's own. Raises
    Problem 422."""
    return ListQuery(
        status=_choice(request, "status", STATUSES),
        type=_choice(request, "type", TYPES),
        q=_search(request),
        cursor=request.query.get("cursor"),
        limit=query_int(request.query, "limit", 50, 1, 100) if limit is None else limit,
        viewer=principal and principal.user_id,
        see_all=principal is not None and principal.privileged,
    )


async def list_page(records: Records, query: ListQuery) -> Page:
    """A page of the list. Raises Problem 422 for a cursor that is none."""
    try:
        return await records.list_tournaments(query)
    except ValueError as error:
        raise invalid("cursor", "expected a cursor that an earlier page gave") from error


def tournament_item(row: TournamentRow) -> dict[str, Any]:
    """The view without what only the owner knows: the top rows and the position. Raises msgspec.ValidationError for a foreign row."""
    spec = _spec.decode(row.spec)
    return {
        **spec_fields(spec, row.tournament_id, row.created_ms, row.creator, row.version, row.dedicated),
        "status": row.status,
        "revision": row.revision,
        "finished_at": None if row.finished_ms is None else rfc3339(row.finished_ms),
        "participants": row.participants,
    }


def _participation(row: ParticipantRow) -> dict[str, object]:
    return {
        "user_id": str(row.user_id),
        "name": row.name,
        "score": None if row.score is None else decimal_score(row.score),
        "rank": row.rank,
        "attempts": row.attempts,
        "joined_at": rfc3339(row.joined_ms),
        "scored_at": None if row.scored_ms is None else rfc3339(row.scored_ms),
    }


def _choice(request: Request, name: str, choices: tuple[str, ...]) -> str | None:
    text = request.query.get(name)
    if text is not None and text not in choices:
        raise invalid(name, f"expected one of {', '.join(choices)}, got {text[:40]!r}")
    return text


def _search(request: Request) -> str | None:
    text = request.query.get("q")
    if text is not None and len(text) > MAX_QUERY_CHARS:
        raise invalid("q", f"expected at most {MAX_QUERY_CHARS} characters, got {len(text)}")
    return text or None
