"""Reading a tournament: the view, the rankings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from actors.domain.texts import folded, normal_name
from actors.domain.values import parse_id
from serve_app.handlers.callers import Callers, me
from serve_app.http.caching import reply_response
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import Problem, invalid
from serve_app.http.query import query_int
from serve_app.metrics import VIEW_SECONDS
from serve_app.services.reads import Reads, unknown_tournament
from storage.ports import GroupRankingsQuery, GroupsQuery, RankingsQuery, Reply, SearchQuery, TeamsQuery

MAX_AGE_S: Final = 1
MAX_USERS: Final = 100
MAX_SEARCH_CHARS: Final = 64  # as long as names may be
MAX_ROWS: Final = 1000
DEFAULT_ROWS: Final = 100


@dataclass(eq=False)
class ReadHandlers:
    """See the module. `entrypoint` is the metrics' label."""

    callers: Callers
    reads: Reads
    entrypoint: str

    def __post_init__(self) -> None:
        self._view_seconds = VIEW_SECONDS.labels(entrypoint=self.entrypoint)

    async def view(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}`."""
        started_s = time.perf_counter()
        principal = await self.callers.principal(request)
        tournament = request.path["tournament"]
        entry = self.reads.cached_view(tournament, principal, time.monotonic())
        if entry is not None:
            response = reply_response(request, entry.reply, max_age_s=MAX_AGE_S)
        else:
            known = await self.reads.visible(tournament, principal)
            reply = await self.reads.view(known, full=_full(principal))
            if not reply.found:
                raise unknown_tournament(tournament)
            response = reply_response(request, reply, max_age_s=MAX_AGE_S)
        self._view_seconds.observe(time.perf_counter() - started_s)
        return response

    async def rankings(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/rankings`: a page, around a user, of named users, or of those whose name has a text in it."""
        principal = await self.callers.principal(request)
        if "board" in request.query or "group" in request.query:
            return await self._group_rankings(request, principal)
        if "q" in request.query:
            return await self._search(request, principal)
        query = _rankings_query(request, principal)
        known = await self.reads.visible(request.path["tournament"], principal)
        reply = await self.reads.rankings(known, query, full=_full(principal))
        if not reply.found:
            if query.around is None:
                raise unknown_tournament(known.text)
            raise Problem(404, "not_ranked", f"user {query.around} has no rank in tournament {known.text}")
        return reply_response(request, reply, max_age_s=MAX_AGE_S)

    async def _search(self, request: Request, principal: Principal | None) -> Response:
        for name in ("around", "users"):
            if name in request.query:
                raise invalid(name, "not a parameter beside q")
        asked, (start, limit) = request.query["q"], _page(request)
        text = folded(asked[:MAX_SEARCH_CHARS])
        if not text or len(asked) > MAX_SEARCH_CHARS:
            raise invalid("q", f"expected 1 to {MAX_SEARCH_CHARS} characters to look for, got {len(asked)}")
        known = await self.reads.visible(request.path["tournament"], principal)
        reply = await self.reads.search(known, SearchQuery(text, _user_id(text), start, limit, _full(principal)))
        if not reply.found:
            raise unknown_tournament(known.text)
        return reply_response(request, reply, max_age_s=MAX_AGE_S)

    async def _group_rankings(self, request: Request, principal: Principal | None) -> Response:
        """The same within one group of a board: a page, or around a user."""
        if "q" in request.query:
            raise invalid("q", "not a parameter beside board and group")
        for name in ("board", "group"):
            if name not in request.query:
                raise invalid(name, "expected this parameter: board and group go together")
        if "users" in request.query:
            raise invalid("users", "not a parameter beside board and group")
        plain = _rankings_query(request, principal)
        board, group = request.query["board"], normal_name(request.query["group"])
        known = await self.reads.visible(request.path["tournament"], principal)
        query = GroupRankingsQuery(board, group, plain.start, plain.limit, plain.around, _full(principal))
        reply = await self.reads.board(known, query)
        if not reply.found and plain.around is not None:
            raise Problem(404, "not_ranked", f"user {plain.around} has no rank in {board[:40]} {group[:64]}")
        return self._board_response(request, reply, f"no group {group[:64]!r} in a board {board[:40]!r}")

    async def board_groups(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/boards/{board}`: the groups, those with most participants first."""
        principal = await self.callers.principal(request)
        start, limit = _page(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        board = request.path["board"]
        reply = await self.reads.board(known, GroupsQuery(board, start, limit, _full(principal)))
        return self._board_response(request, reply, f"no board {board[:40]!r}")

    async def teams(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/teams`."""
        principal = await self.callers.principal(request)
        start, limit = _page(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        reply = await self.reads.board(known, TeamsQuery(start, limit, _full(principal)))
        return self._board_response(request, reply, "no teams")

    def _board_response(self, request: Request, reply: Reply, missing: str) -> Response:
        if not reply.found:
            raise Problem(404, "board_unknown", f"{missing} in this tournament")
        return reply_response(request, reply, max_age_s=MAX_AGE_S)


def _page(request: Request) -> tuple[int, int]:
    """(start, limit) of a page. Raises Problem 422."""
    limit = query_int(request.query, "limit", DEFAULT_ROWS, 1, MAX_ROWS)
    return query_int(request.query, "cursor", 0, 0, 2**31 - 1), limit


def _full(principal: Principal | None) -> bool:
    """Whether the caller is shown the real table, also while the public one stands still."""
    return principal is not None and principal.privileged


def _rankings_query(request: Request, principal: Principal | None) -> RankingsQuery:
    """The query of the rankings. Raises Problem 422."""
    ways = [name for name in ("cursor", "around", "users") if name in request.query]
    if len(ways) > 1:
        raise invalid(ways[1], f"expected one of cursor, around and users, got {' and '.join(ways)}")
    limit = query_int(request.query, "limit", DEFAULT_ROWS, 1, MAX_ROWS)
    if "around" in request.query:
        around = _named_user(request, "around", request.query["around"], principal)
        return RankingsQuery(limit=limit, around=around)
    if "users" in request.query:
        texts = request.query["users"].split(",")
        if len(texts) > MAX_USERS:
            raise invalid("users", f"expected at most {MAX_USERS} users, got {len(texts)}")
        users = tuple(_named_user(request, "users", text, principal) for text in texts)
        return RankingsQuery(limit=limit, users=users)
    return RankingsQuery(*_page(request))


def _user_id(text: str) -> int | None:
    """The user id that a text is, or None."""
    try:
        return parse_id(text)
    except ValueError:
        return None


def _named_user(request: Request, name: str, text: str, principal: Principal | None) -> int:
    if text == "me" and principal is not None:
        return me(request, principal)
    try:
        return parse_id(text)
    except ValueError as error:
        raise invalid(name, str(error)) from error
