"""The client of Palio's HTTP API."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, Literal, TypeVar, cast
from urllib.parse import quote

import httpx2
import msgspec

from .errors import ConflictError
from .live import Live
from .requests import Join, Score
from .results import (
    BatchAnswer,
    CommandOutcome,
    Created,
    CreatedBatch,
    Gateway,
    HistoryItem,
    Invitation,
    Joined,
    NewInvitation,
    Participant,
    PrizeTable,
    Rankings,
    Rejected,
    RejectedCreate,
    Result,
    Row,
    Series,
    Status,
    Submitted,
    Tournament,
    TournamentItem,
    UserTournament,
    Winner,
)
from .submitter import OnFull, OnRejected, Submitter
from .transport import Again, Token, Transport, decoded

T = TypeVar("T")
MAX_BATCH: Final = 1000  # items of one call
MAX_BATCH_BYTES: Final = 500_000  # of one call; Palio takes a MiB unless told otherwise
NDJSON: Final = "application/x-ndjson"
PAGE_ROWS: Final = 1000
PAGE_ITEMS: Final = 100
ME: Final = "me"
_encode = msgspec.json.Encoder(decimal_format="number").encode


class _Page(Result, frozen=True, kw_only=True):
    items: list[msgspec.Raw]
    next_cursor: str | None


class _Items(Result, frozen=True, kw_only=True):
    items: list[msgspec.Raw]


class PalioClient:
    """Palio as one user, or as a service or an operator; `async with PalioClient(url, token) as palio`.

    `url` is the api's; where the gateway is, the api tells at the first call that needs it. `token`: a text, or a function that returns one,
    asked before each call, so that it can follow an expiring token by a new one; None: what everybody may see. A call is tried again for
    `retry_for_s` seconds in all, one try takes at most `timeout_s`.
    All methods raise ProblemError when Palio refuses, NoAnswerError when it does not answer for too long, NotPalioError.
    """

    def __init__(
        self,
        url: str,
        token: Token = None,
        *,
        timeout_s: float = 15.0,
        retry_for_s: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._transport = Transport(token, timeout_s, retry_for_s, transport)
        self._retry_for_s = retry_for_s
        self._found: Gateway | None = None

    async def __aenter__(self) -> PalioClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def gateway(self) -> Gateway:
        """Where the gateway and its live sockets are, asked once."""
        found = self._found
        if found is None:
            found = self._found = await self._ask("GET", f"{self.url}/v1", Gateway)
        return found

    async def call(
        self,
        method: str,
        path: str,
        kind: Any = Any,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """A call that has no method here, at the api: its answer as `kind`, by default what the JSON gives; None where there is no body. It
        is repeated as all calls are, so it must be one that may be."""
        return await self._ask(method, f"{self.url}{path}", kind, body=body, params=params, headers=headers)

    async def download(
        self,
        path: str,
        file: BinaryIO,
        *,
        params: Mapping[str, str] | None = None,
        told: Callable[[int, int | None], None] | None = None,
    ) -> None:
        """Write the body of a GET at the api to a file that can be cut. `told(bytes, of bytes)`: how far it is; None: that is not known."""

        async def write(body: AsyncIterator[bytes], total: int | None) -> None:
            file.seek(0)
            file.truncate()
            async for chunk in body:
                file.write(chunk)
                if told is not None:
                    told(file.tell(), total)

        await self._transport.call("GET", f"{self.url}{path}", params=params, chunks=write)

    # -- tournaments -----------------------------------------------------------------------------------------------

    async def create(self, spec: Mapping[str, Any], *, key: str | None = None) -> Tournament:
        """Create a tournament, or find the one that this Idempotency-Key created; without a key each call makes a new one."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return await self._ask(
            "POST", f"{self.url}/v1/tournaments", Tournament, body=spec, headers=headers, again=_undecided
        )

    async def create_all(self, specs: Iterable[Mapping[str, Any]]) -> CreatedBatch:
        """Create many, 1,000 a call. A spec may have an `idempotency_key`: what it created is found by it, here as by `create`; without one
        each call makes a new tournament."""
        url, sent = f"{self.url}/v1/tournaments", 0
        made, rejected = list[Created](), list[RejectedCreate]()
        for lines in _chunks(_encode({"idempotency_key": uuid.uuid4().hex, **spec}) for spec in specs):
            answer = await self._transport.call(
                "POST", url, content=b"\n".join(lines), content_type=NDJSON, again=_some_undecided
            )
            took: CreatedBatch = decoded(f"POST {url}", answer, CreatedBatch)
            made += [msgspec.structs.replace(item, index=sent + item.index) for item in took.tournaments]
            rejected += [msgspec.structs.replace(item, index=sent + item.index, line=None) for item in took.rejected]
            sent += len(lines)
        return CreatedBatch(accepted=len(made), tournaments=made, rejected=rejected)

    async def tournament(self, tournament_id: str) -> Tournament:
        """The view, which may be a second old."""
        return await self._ask("GET", await self._hot(tournament_id), Tournament)

    async def tournaments(
        self,
        *,
        status: Status | None = None,
        type: str | None = None,  # noqa: A002 - the API's word
        q: str | None = None,
    ) -> AsyncIterator[TournamentItem]:
        """All tournaments that you may see, newest first, page by page."""
        params = _given(status=status, type=type, q=q)
        async for item in self._items("/v1/tournaments", TournamentItem, params):
            yield item

    async def user_tournaments(self, user_id: str = ME) -> AsyncIterator[UserTournament]:
        """All tournaments of a user, newest first, page by page."""
        async for item in self._items(f"/v1/users/{_part(user_id)}/tournaments", UserTournament, {}):
            yield item

    async def edit(self, tournament_id: str, changes: Mapping[str, Any], *, version: int | None = None) -> Tournament:
        """Change what the state allows. `version`: only if it is the one at hand, else VersionMismatchError."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        path = f"{self.url}/v1/tournaments/{_part(tournament_id)}"
        return await self._ask("PATCH", path, Tournament, body=changes, headers=headers, again=_undecided)

    async def start(self, tournament_id: str) -> CommandOutcome:
        """Start it now."""
        return await self._command(tournament_id, "start", "running")

    async def end(self, tournament_id: str) -> CommandOutcome:
        """End it now."""
        return await self._command(tournament_id, "end", "finished")

    async def cancel(self, tournament_id: str) -> CommandOutcome:
        """Cancel it, or stop a series."""
        return await self._command(tournament_id, "cancel", "cancelled")

    async def reopen(self, tournament_id: str, ends_at: datetime | str | None = None) -> CommandOutcome:
        """Undo a mistaken end or cancel."""
        body = {} if ends_at is None else {"ends_at": _time(ends_at)}
        return await self._command(tournament_id, "reopen", None, body)

    async def reveal(self, tournament_id: str) -> CommandOutcome:
        """Show a frozen table."""
        return await self._command(tournament_id, "reveal", None)

    async def history(self, tournament_id: str) -> list[HistoryItem]:
        """Who ordered what, newest first."""
        return await self._list(f"/v1/tournaments/{_part(tournament_id)}/history", HistoryItem)

    async def series(self, series_id: str) -> Series:
        """A series with its newest tournaments."""
        return await self._ask("GET", f"{self.url}/v1/series/{_part(series_id)}", Series)

    # -- the table -------------------------------------------------------------------------------------------------

    async def rankings(
        self,
        tournament_id: str,
        *,
        limit: int = 100,
        cursor: str | None = None,
        around: str | None = None,
        users: Sequence[str] | None = None,
        q: str | None = None,
    ) -> Rankings:
        """A page of the table; or the rows around a user, of at most 100 users, or, by page, of those whose names have `q` in them."""
        params = _given(cursor=cursor, around=around, q=q, users=None if users is None else ",".join(users))
        return await self._ask(
            "GET", await self._hot(tournament_id, "/rankings"), Rankings, params={"limit": str(limit), **params}
        )

    async def rows(self, tournament_id: str) -> AsyncIterator[Row]:
        """The whole table from the top, page by page. While the tournament runs, rows move between the pages: of a user who comes twice the
        later row is the newer one."""
        cursor: str | None = None
        while True:
            page = await self.rankings(tournament_id, limit=PAGE_ROWS, cursor=cursor)
            for row in page.rows:
                yield row
            if (cursor := page.next_cursor) is None:
                return

    async def participant(self, tournament_id: str, user_id: str = ME) -> Participant:
        """A participant's standing."""
        return await self._ask("GET", await self._hot(tournament_id, f"/participants/{_part(user_id)}"), Participant)

    # -- taking part -----------------------------------------------------------------------------------------------

    async def join(
        self,
        tournament_id: str,
        user_id: str = ME,
        *,
        name: str | None = None,
        invite: str | None = None,
        attributes: Mapping[str, str] | None = None,
        wait_s: float | None = None,
    ) -> Joined:
        """Let a user take part; again changes nothing. It waits until it is applied; with `wait_s` 0 until it is in the log."""
        body = _given(name=name, invite=invite, attributes=attributes)
        url = await self._hot(tournament_id, f"/participants/{_part(user_id)}")
        if wait_s is None:
            return await self._ask("PUT", url, Joined, body=body, again=_undecided)
        return await self._ask("PUT", url, Joined, body=body, headers=_wait(wait_s), again=_nowhere)

    async def join_all(self, joins: Iterable[Join], *, wait_s: float = 0) -> BatchAnswer:
        """Let many take part, 1,000 a call: a service's. Returns once all are in the log; `rejected` are those that never will be. With `wait_s`
        each call waits so long until they are decided: then also those that a tournament refused, such as one that is full."""
        return await self._batches("participants", joins, _wait(wait_s) if wait_s else None)

    async def leave(self, tournament_id: str, user_id: str = ME) -> None:
        """Leave; score and attempts come back with the next join."""
        url = await self._hot(tournament_id, f"/participants/{_part(user_id)}")
        await self._ask("DELETE", url, type(None), again=_undecided)

    async def disqualify(self, tournament_id: str, user_id: str, reason: str) -> None:
        """Take a participant out of the table."""
        await self._manage(tournament_id, user_id, "disqualify", {"reason": reason})

    async def reinstate(self, tournament_id: str, user_id: str) -> None:
        """Take a disqualification back."""
        await self._manage(tournament_id, user_id, "reinstate", None)

    # -- scores ----------------------------------------------------------------------------------------------------

    async def submit(
        self,
        tournament_id: str,
        score: float | None = None,
        *,
        user_id: str | None = None,
        event_id: str | None = None,
        subscore: float | None = None,
        result: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> Submitted:
        """Submit a score, or a result. Returns once it is in the log; with `wait_s` (at most 10) once it is applied, if that takes no longer.

        `event_id`: the same for the same event, also in another process; without one this call has one of its own.
        """
        body = _given(user_id=user_id, score=score, subscore=subscore, result=result)
        body["event_id"] = event_id or uuid.uuid4().hex
        headers = _wait(wait_s) if wait_s else None
        return await self._ask("POST", await self._hot(tournament_id, "/scores"), Submitted, body=body, headers=headers)

    async def submit_all(self, scores: Iterable[Score]) -> BatchAnswer:
        """Submit many in this order, 1,000 a call: a service's. Returns once all are in the log; `rejected` are those that never will be."""
        return await self._batches("scores", scores)

    def submitter(
        self,
        *,
        max_waiting: int = 10_000,
        linger_s: float = 0.02,
        on_full: OnFull = "wait",
        on_rejected: OnRejected | None = None,
    ) -> Submitter:
        """Gathers scores that come one by one into batches; see Submitter."""
        return Submitter(self.submit_all, max_waiting, linger_s, on_full, on_rejected)

    def live(self) -> Live:
        """Live tables, notices and submissions over one socket; see Live."""
        return Live(self.gateway, self._transport, self._retry_for_s)

    # -- invitations and prizes ------------------------------------------------------------------------------------

    async def invite(
        self,
        tournament_id: str,
        *,
        user_id: str | None = None,
        uses: int | None = None,
        expires_at: datetime | str | None = None,
        key: str | None = None,
    ) -> NewInvitation:
        """Invite a user, or as many as bring the invitation."""
        body = _given(user_id=user_id, uses=uses, expires_at=None if expires_at is None else _time(expires_at))
        url = f"{self.url}/v1/tournaments/{_part(tournament_id)}/invitations"
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return await self._ask("POST", url, NewInvitation, body=body, headers=headers, again=_undecided)

    async def invitations(self, tournament_id: str) -> list[Invitation]:
        """The invitations that were not revoked, newest first."""
        return await self._list(f"/v1/tournaments/{_part(tournament_id)}/invitations", Invitation)

    async def revoke_invitation(self, tournament_id: str, invitation_id: str) -> None:
        """Revoke an invitation; who came by it stays."""
        path = f"{self.url}/v1/tournaments/{_part(tournament_id)}/invitations/{_part(invitation_id)}"
        await self._ask("DELETE", path, type(None), again=_undecided)

    async def prizes(self, tournament_id: str, *, cursor: str | None = None, limit: int = PAGE_ROWS) -> PrizeTable:
        """The rules and, once finished, a page of the winners."""
        return await self._ask(
            "GET", self._prizes(tournament_id), PrizeTable, params={"limit": str(limit), **_given(cursor=cursor)}
        )

    async def winners(self, tournament_id: str) -> AsyncIterator[Winner]:
        """All winners, page by page; none before the ledger is made."""
        cursor: str | None = None
        while True:
            page = await self.prizes(tournament_id, cursor=cursor)
            for winner in page.winners:
                yield winner
            if (cursor := page.next_cursor) is None:
                return

    async def approve_prizes(
        self, tournament_id: str, *, user_id: str | None = None, rule: int | None = None
    ) -> PrizeTable:
        """Approve all prizes that wait for review, or those of one user."""
        url, body = self._prizes(tournament_id, "/approve"), _given(user_id=user_id, rule=rule)
        return await self._ask("POST", url, PrizeTable, body=body, again=_undecided)

    async def revoke_prizes(
        self, tournament_id: str, *, user_id: str | None = None, rule: int | None = None, reason: str | None = None
    ) -> PrizeTable:
        """Revoke prizes that are not paid, all or those of one user."""
        body = _given(user_id=user_id, rule=rule, reason=reason)
        return await self._ask("POST", self._prizes(tournament_id, "/revoke"), PrizeTable, body=body)

    # -- what the calls share --------------------------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        url: str,
        kind: type[T],
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        again: Again | None = None,
    ) -> T:
        content = None if body is None else _encode(body)
        answer = await self._transport.call(method, url, content=content, params=params, headers=headers, again=again)
        return cast(T, decoded(f"{method} {url}", answer or b"null", kind))

    async def _hot(self, tournament_id: str, path: str = "") -> str:
        """The address of a call that the gateway answers."""
        gateway = (await self.gateway()).gateway.rstrip("/")
        return f"{gateway}/v1/tournaments/{_part(tournament_id)}{path}"

    def _prizes(self, tournament_id: str, path: str = "") -> str:
        return f"{self.url}/v1/tournaments/{_part(tournament_id)}/prizes{path}"

    async def _command(self, tournament_id: str, name: str, wanted: Status | None, body: Any = None) -> CommandOutcome:
        """A command. Where a try whose answer was lost may have carried it out, to find the tournament as it is `wanted` is no refusal."""
        url = f"{self.url}/v1/tournaments/{_part(tournament_id)}/{name}"
        try:
            return await self._ask("POST", url, CommandOutcome, body=body, again=_undecided)
        except ConflictError as conflict:
            if wanted is None or not conflict.repeated:
                raise
            view: Tournament = await self.call("GET", f"/v1/tournaments/{_part(tournament_id)}", Tournament)
            if view.status != wanted:
                raise
            return CommandOutcome(id=view.id, status=view.status, version=view.version)

    async def _manage(self, tournament_id: str, user_id: str, name: str, body: Any) -> None:
        url = f"{self.url}/v1/tournaments/{_part(tournament_id)}/participants/{_part(user_id)}/{name}"
        await self._ask("POST", url, object, body=body, again=_undecided)

    async def _list(self, path: str, kind: type[T]) -> list[T]:
        page = await self._ask("GET", f"{self.url}{path}", _Items)
        return [decoded(path, item, kind) for item in page.items]

    async def _items(self, path: str, kind: type[T], params: Mapping[str, str]) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            asked = {**params, "limit": str(PAGE_ITEMS), **_given(cursor=cursor)}
            page = await self._ask("GET", f"{self.url}{path}", _Page, params=asked)
            for item in page.items:
                yield decoded(path, item, kind)
            if (cursor := page.next_cursor) is None:
                return

    async def _batches(
        self,
        name: Literal["scores", "participants"],
        items: Iterable[Score] | Iterable[Join],
        headers: Mapping[str, str] | None = None,
    ) -> BatchAnswer:
        url = f"{(await self.gateway()).gateway.rstrip('/')}/v1/{name}"
        accepted, rejected, sent = 0, list[Rejected](), 0
        for lines in _chunks(map(_encode, items)):
            answer = await self._transport.call(
                "POST", url, content=b"\n".join(lines), content_type=NDJSON, headers=headers
            )
            took: BatchAnswer = decoded(f"POST {url}", answer, BatchAnswer)
            accepted += took.accepted
            rejected += [Rejected(index=sent + item.index, code=item.code) for item in took.rejected]
            sent += len(lines)
        return BatchAnswer(accepted=accepted, rejected=rejected)


def _undecided(status: int, _: bytes) -> bool:
    """Whether a command is not decided yet: to repeat it does no harm."""
    return status == 202


def _some_undecided(_: int, body: bytes) -> bool:
    """Whether a tournament of a batch is not decided yet."""
    return b'"status":null' in body


def _nowhere(status: int, body: bytes) -> bool:
    """Whether an answer does not tell where in the log a join is."""
    return status == 202 and b'"offset":null' in body


def _chunks(lines: Iterable[bytes]) -> Iterable[list[bytes]]:
    """As many lines as one call takes."""
    chunk, size = list[bytes](), 0
    for line in lines:
        if chunk and (len(chunk) == MAX_BATCH or size + len(line) >= MAX_BATCH_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line) + 1
    if chunk:
        yield chunk


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _wait(wait_s: float) -> dict[str, str]:
    return {"Prefer": f"wait={wait_s:g}"}


def _part(text: str) -> str:
    """A part of a path; what is no id stays one part, and Palio says what is wrong with it."""
    return quote(str(text), safe="")


def _time(moment: datetime | str) -> str:
    """RFC 3339, UTC. Raises ValueError for a time without a zone."""
    if isinstance(moment, str):
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with its zone, got {moment}")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
