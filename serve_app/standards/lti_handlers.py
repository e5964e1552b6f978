"""`/v1/lti`: Palio as the platform of LTI Advantage's Assignment and Grade Services; a tournament is a line item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from actors.domain.values import decimal_score, parse_id
from serve_app.handlers.callers import Callers
from serve_app.handlers.listing import tournament_item
from serve_app.http.bodies import decoded_body, media_type, require_json
from serve_app.http.caching import NO_STORE, PERSONAL
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import Problem, invalid
from serve_app.http.query import query_int, read_query
from serve_app.http.request_schemas import Submission
from serve_app.services.known import Known
from serve_app.services.reads import unknown_tournament
from serve_app.standards.ags import (
    ITEM_TYPE,
    ITEMS_TYPE,
    POST_SCORES,
    READ_ITEMS,
    READ_RESULTS,
    RESULTS_TYPE,
    SCOPES,
    LineItem,
    ScoreTaken,
    event_id_of,
    graded,
    line_item,
    read_score,
    tool_results,
)
from serve_app.standards.foreign_ids import ForeignIdsFile
from serve_app.standards.lti_tokens import TOKEN_TTL_S, LtiTokens
from serve_app.standards.lti_tools import Tool
from serve_app.standards.submissions import Remembered, Submissions
from storage.ports import ListQuery, RankingsQuery, Records

KIND: Final = "lti"
FORM: Final = "application/x-www-form-urlencoded"
ITEMS_PATH: Final = "/v1/lti/lineitems"
MAX_ITEMS: Final = 100
MAX_RESULTS: Final = 1000
READERS: Final = (READ_ITEMS, SCOPES[-1])
_encode: Final = msgspec.json.Encoder().encode


class Caller(msgspec.Struct, frozen=True):
    """Who calls: a tool by its access token, or a service by a token of Palio's, which is no tool."""

    principal: Principal
    tool: Tool | None

    @property
    def client_id(self) -> str:
        """What its event ids are made of."""
        return f"service:{self.principal.user_id}" if self.tool is None else self.tool.client_id


@dataclass(frozen=True, slots=True)
class LtiHandlers:
    """See the module. `url` is the api's, as tools know it; `newest` has the time (us) and hundredths of the newest scores that came here."""

    submissions: Submissions
    records: Records
    tokens: LtiTokens
    ids: ForeignIdsFile
    url: str
    newest: Remembered[tuple[str, str, int], tuple[int, int]] = field(default_factory=Remembered)

    @property
    def _items_url(self) -> str:
        return self.url + ITEMS_PATH

    @property
    def _callers(self) -> Callers:
        return self.submissions.callers

    async def lti_token(self, request: Request) -> Response:
        """`POST /v1/lti/token`: an access token for a registered tool."""
        await self._callers.principal(request)
        if media_type(request) != FORM:
            raise Problem(415, "unsupported_media_type", f"expected {FORM}")
        granted = await self.tokens.grant(read_query(decoded_body(request, self.submissions.config.max_body_bytes)))
        body = {
            "access_token": granted.token,
            "token_type": "Bearer",
            "expires_in": TOKEN_TTL_S,
            "scope": " ".join(granted.scopes),
        }
        return Response(200, _encode(body), {**NO_STORE, "pragma": "no-cache"})

    async def line_items(self, request: Request) -> Response:
        """`GET /v1/lti/lineitems`: the tournaments that the caller may see, newest first."""
        caller = await self._caller(request, READERS)
        limit = query_int(request.query, "limit", MAX_ITEMS, 1, MAX_ITEMS)
        headers = dict(PERSONAL)
        if request.query.get("resource_link_id") or request.query.get("tag"):
            items: list[LineItem] = []  # tournaments have neither
        elif (only := self._named(request, caller)) is not None:
            start = query_int(request.query, "cursor", 0, 0, len(only))
            rows = [await self.records.tournament(parse_id(text)) for text in only[start : start + limit]]
            items = [line_item(tournament_item(row), self._items_url) for row in rows if row is not None]
            if start + limit < len(only):
                headers["link"] = _next(self._items_url, limit, str(start + limit))
        else:
            query = ListQuery(cursor=request.query.get("cursor"), limit=limit, see_all=True)
            try:
                page = await self.records.list_tournaments(query)
            except ValueError:
                raise invalid("cursor", "expected a cursor that an earlier page gave") from None
            items = [line_item(tournament_item(row), self._items_url) for row in page.rows]
            if page.next_cursor is not None:
                headers["link"] = _next(self._items_url, limit, page.next_cursor)
        return Response(200, _encode(items), headers, ITEMS_TYPE)

    async def line_item(self, request: Request) -> Response:
        """`GET /v1/lti/lineitems/{id}`."""
        caller = await self._caller(request, READERS)
        item = await self._item(await self._target(request, caller))
        return Response(200, _encode(item), dict(PERSONAL), ITEM_TYPE)

    async def submit_lti_score(self, request: Request) -> Response:
        """`POST /v1/lti/lineitems/{id}/scores`: 200 once the score is in the log, or nothing is to be done."""
        caller = await self._caller(request, (POST_SCORES,))
        if caller.principal.role != "service":
            raise Problem(403, "role_forbidden", "expected the role service, or a tool")
        score = read_score(require_json(request, self.submissions.config.max_body_bytes))
        known = await self._target(request, caller)
        item = await self._item(known)
        given = graded(score, item.score_maximum, await self.ids.current())
        if isinstance(given, str):
            return self._taken(ScoreTaken(result_url=f"{item.id}/results", counted=False, reason=given))  # type: ignore[arg-type]  # one of the two
        event_id = event_id_of(caller.client_id, given)
        key = (caller.client_id, known.text, given.user_id)
        self._check_newest(key, given.time_us, given.score)
        submission = Submission(event_id=event_id, user_id=str(given.user_id), score=decimal_score(given.score))
        record = self.submissions.scores.record(known, submission, caller.principal)
        await self.submissions.append([record], KIND)
        self._remember(key, given.time_us, given.score)
        url = f"{item.id}/results?user_id={given.user_id}"
        return self._taken(ScoreTaken(result_url=url, counted=True, event_id=event_id))

    async def line_item_results(self, request: Request) -> Response:
        """`GET /v1/lti/lineitems/{id}/results`: the table, or the row of one user."""
        caller = await self._caller(request, (READ_RESULTS,))
        limit = query_int(request.query, "limit", MAX_RESULTS, 1, MAX_RESULTS)
        start = query_int(request.query, "cursor", 0, 0, 2**31 - 1)
        known = await self._target(request, caller)
        item = await self._item(known)
        headers = dict(PERSONAL)
        query = RankingsQuery(start, limit)
        if (name := request.query.get("user_id")) is not None:
            user_id = (await self.ids.current()).user(name)
            if user_id is None:
                return Response(200, b"[]", headers, RESULTS_TYPE)
            query = RankingsQuery(limit=limit, users=(user_id,))
        reply = await self.submissions.reads.rankings(known, query, full=True)
        if not reply.found:
            raise unknown_tournament(known.text)
        page = msgspec.json.decode(reply.body)
        if page["next_cursor"] is not None and name is None:
            headers["link"] = _next(f"{item.id}/results", limit, page["next_cursor"])
        return Response(200, _encode(tool_results(page["rows"], item)), headers, RESULTS_TYPE)

    async def _caller(self, request: Request, scopes: tuple[str, ...]) -> Caller:
        """Counted against their limit. Raises Problem 401, 403, 429."""
        try:
            tool = await self.tokens.tool_of(request.headers.get("authorization"), scopes)
        except Problem:
            self._callers.count(None, request.client)
            raise
        if tool is None:
            return Caller(await self._callers.privileged(request), None)
        principal = Principal(parse_id(tool.user_id), "service", privileged=True)
        self._callers.count(principal, request.client)
        return Caller(principal, tool)

    async def _target(self, request: Request, caller: Caller) -> Known:
        """Raises Problem 404 for a tournament that is unknown, or none of the tool's."""
        tournament = request.path["tournament"]
        if caller.tool is not None and not caller.tool.sees(tournament):
            raise unknown_tournament(tournament)
        found = (await self.submissions.targets([tournament], caller.principal))[tournament]
        if isinstance(found, Problem):
            raise found
        return found

    def _named(self, request: Request, caller: Caller) -> list[str] | None:
        """The tournaments among which to look, None for all."""
        only = None if caller.tool is None else caller.tool.tournaments
        wanted = request.query.get("resource_id")
        if wanted is None:
            return only
        try:
            parse_id(wanted)
        except ValueError:
            return []
        return [wanted] if only is None or wanted in only else []

    async def _item(self, known: Known) -> LineItem:
        reply = await self.submissions.reads.view(known)
        if not reply.found:
            raise unknown_tournament(known.text)
        view: Mapping[str, Any] = msgspec.json.decode(reply.body)
        return line_item(view, self._items_url)

    def _check_newest(self, key: tuple[str, str, int], time_us: int, score: int) -> None:
        """Raises Problem 409 for a score older than one that came here, or another one of the same time."""
        newest = self.newest.get(key)
        if newest is None:
            return
        if time_us < newest[0]:
            raise Problem(409, "score_outdated", "a score of this user with a later `timestamp` was taken before")
        if time_us == newest[0] and score != newest[1]:
            raise Problem(409, "id_conflict", "another score of this user with the same `timestamp` was taken before")

    def _remember(self, key: tuple[str, str, int], time_us: int, score: int) -> None:
        newest = self.newest.get(key)
        if newest is None or time_us >= newest[0]:
            self.newest.put(key, (time_us, score))

    def _taken(self, taken: ScoreTaken) -> Response:
        return Response(200, _encode(taken), dict(NO_STORE))


def _next(url: str, limit: int, cursor: str) -> str:
    """The `Link` to the next page (RFC 8288)."""
    return f'<{url}?{urlencode({"limit": limit, "cursor": cursor})}>; rel="next"'
