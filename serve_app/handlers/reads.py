"""Reading: the view, the rankings, the prizes, the lists; where the gateway is; whether this process is well."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from actors.domain.values import parse_id
from serve_app.handlers.base import HandlersBase, answered, query_int, translated, viewer_of
from serve_app.handlers.listing import ASKED_AT_ONCE, tournament_item
from serve_app.http.caching import NO_STORE, PERSONAL, reply_response
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, invalid, unavailable
from serve_app.metrics import VIEW_SECONDS
from serve_app.security.auth import Principal
from serve_app.services.container import Services
from serve_app.services.reads import owner_away, unknown_tournament
from storage.ports import (
    AccessQuery,
    ListQuery,
    OwnerMovedError,
    OwnerRecordsError,
    OwnerUnavailableError,
    PrizesQuery,
    RankingsQuery,
    TournamentRow,
)

MAX_AGE_S: Final = 1
MAX_USERS: Final = 100
MAX_ROWS: Final = 1000
DEFAULT_ROWS: Final = 100
MAX_QUERY_CHARS: Final = 200
STATUSES: Final = ("scheduled", "running", "finished", "cancelled")
TYPES: Final = ("scheduled", "instant")
READY_WITHIN_S: Final = 2.0
READY_CACHED_S: Final = 1.0
PROBE: Final = 1  # an id that a hash will hardly give: asking for it tells whether an owner answers
_encode = msgspec.json.Encoder().encode


class ReadHandlers(HandlersBase):
    """See the module."""

    def __init__(self, services: Services, entrypoint: str = "api") -> None:
        super().__init__(services, entrypoint)
        self._view_seconds = VIEW_SECONDS.labels(entrypoint=entrypoint)
        self._ready: tuple[float, Problem | None] | None = None

    @answered
    async def view(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}`."""
        started_s = time.perf_counter()
        principal = await self.principal(request)
        tournament = request.path["tournament"]
        entry = self.reads.cached_view(tournament, time.monotonic())
        if entry is not None:
            response = reply_response(request, entry.reply, max_age_s=MAX_AGE_S)
        else:
            known = await self.visible(tournament, principal)
            reply = await self.reads.view(known)
            if not reply.found:
                raise unknown_tournament(tournament)
            response = reply_response(request, reply, max_age_s=MAX_AGE_S)
        self._view_seconds.observe(time.perf_counter() - started_s)
        return response

    @answered
    async def rankings(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/rankings`: a page, around a user, or of named users."""
        principal = await self.principal(request)
        query = self._rankings_query(request, principal)
        known = await self.visible(request.path["tournament"], principal)
        reply = await self.reads.rankings(known, query)
        if not reply.found:
            if query.around is None:
                raise unknown_tournament(known.text)
            raise Problem(404, "not_ranked", f"user {query.around} has no rank in tournament {known.text}")
        return reply_response(request, reply, max_age_s=MAX_AGE_S)

    def _rankings_query(self, request: Request, principal: Principal | None) -> RankingsQuery:
        """The query of the rankings. Raises Problem 422."""
        ways = [name for name in ("cursor", "around", "users") if name in request.query]
        if len(ways) > 1:
            raise invalid(ways[1], f"expected one of cursor, around and users, got {' and '.join(ways)}")
        limit = query_int(request, "limit", DEFAULT_ROWS, 1, MAX_ROWS)
        if "around" in request.query:
            around = self._named_user(request, "around", request.query["around"], principal)
            return RankingsQuery(limit=limit, around=around)
        if "users" in request.query:
            texts = request.query["users"].split(",")
            if len(texts) > MAX_USERS:
                raise invalid("users", f"expected at most {MAX_USERS} users, got {len(texts)}")
            users = tuple(self._named_user(request, "users", text, principal) for text in texts)
            return RankingsQuery(limit=limit, users=users)
        return RankingsQuery(start=query_int(request, "cursor", 0, 0, 2**31 - 1), limit=limit)

    def _named_user(self, request: Request, name: str, text: str, principal: Principal | None) -> int:
        if text == "me" and principal is not None:
            return self.me(request, principal)
        try:
            return parse_id(text)
        except ValueError as error:
            raise invalid(name, str(error)) from error

    @answered
    async def prizes(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/prizes`."""
        principal = await self.principal(request)
        known = await self.visible(request.path["tournament"], principal)
        try:
            reply = await self.services.owners.read(known.tournament_id, PrizesQuery())
        except (OwnerUnavailableError, OwnerMovedError):
            raise owner_away() from None
        if not reply.found:
            raise unknown_tournament(known.text)
        return reply_response(request, reply._replace(etag=""))

    @answered
    async def list_tournaments(self, request: Request) -> Response:
        """`GET /v1/tournaments`: newest first; private ones only to members, services and operators."""
        principal = await self.principal(request)
        query = ListQuery(
            status=_choice(request, "status", STATUSES),
            type=_choice(request, "type", TYPES),
            q=_search(request),
            cursor=request.query.get("cursor"),
            limit=query_int(request, "limit", 50, 1, 100),
            viewer=viewer_of(principal),
            see_all=principal is not None and principal.privileged,
        )
        try:
            page = await self.services.records.list_tournaments(query)
        except ValueError as error:
            raise invalid("cursor", "expected a cursor that an earlier page gave") from error
        hidden = await self._hidden(page.rows, query)
        items = [tournament_item(row) for row in page.rows if row.tournament_id not in hidden]
        return Response(200, _encode({"items": items, "next_cursor": page.next_cursor}), dict(PERSONAL))

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

    @answered
    async def root(self, request: Request) -> Response:
        """`GET /v1`: where the gateway is."""
        await self.principal(request)
        config = self.config
        body = {
            "gateway": config.gateway_url,
            "live": config.live_url,
            "version": config.version,
            "demo": config.demo,
            "time": self.services.clock_ms(),
        }
        return Response(200, _encode(body), {"cache-control": "no-cache"})

    @answered
    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: this process is alive."""
        del request
        return Response(200, b'{"status":"ok"}', dict(NO_STORE))

    @answered
    async def readyz(self, request: Request) -> Response:
        """`GET /readyz`: the log can be read and written, the owners answer, and replies are being received. Asked at most once a second."""
        del request
        now_s = time.monotonic()
        if self._ready is None or now_s - self._ready[0] >= READY_CACHED_S:
            self._ready = (now_s, await self._not_ready())
        if self._ready[1] is not None:
            raise self._ready[1]
        return Response(200, b'{"status":"ready"}', dict(NO_STORE))

    async def _not_ready(self) -> Problem | None:
        """Why this process cannot serve, or None."""
        if not self.waiters.healthy:
            return unavailable("unavailable", "replies are not being received")
        services = self.services
        checks: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
            ("log", services.log.bounds),
            ("log", services.log.check_writable),
            ("owner", self._ask_owner),
        )
        for name, check in checks:
            try:
                async with asyncio.timeout(READY_WITHIN_S):
                    await check()
            except Exception as error:  # whatever it is: not ready, and why
                unanswered = unavailable("unavailable", f"the {name} does not answer ({type(error).__name__})")
                return translated(error) or unanswered
        return None

    async def _ask_owner(self) -> None:
        """Whether an owner answers, be it that the shard of what it was asked for is away."""
        with contextlib.suppress(OwnerRecordsError):
            await self.services.owners.read(PROBE, AccessQuery())


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
