"""Managing tournaments: create, edit, start, end, cancel."""

from __future__ import annotations

import functools
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UNSET

from actors.domain.messages import Cancel, Control, Create, Edit, End, Reopen, Reveal, Start
from actors.domain.values import parse_time, tournament_id
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.http.batches import KEY_FIELD, check_key, is_lines, read_creates
from serve_app.http.bodies import require_json
from serve_app.http.caching import NO_STORE, reply_response
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import Problem, invalid
from serve_app.http.request_schemas import Reopening, changes_of, read_edit, read_new_tournament, read_reopening
from serve_app.services.commands import Commands, Issued, new_command_id
from serve_app.services.known import Known
from serve_app.services.log_clock import LogClock
from serve_app.services.reads import Reads, unknown_tournament
from storage.ports import ChildrenQuery, OwnerMovedError, Owners, OwnerUnavailableError

_encode = msgspec.json.Encoder().encode
_VERSION: Final = re.compile(r'"?([1-9][0-9]{0,9})"?')


@dataclass(frozen=True, slots=True)
class TournamentHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    owners: Owners
    commands: Commands
    log_clock: LogClock
    config: FrontConfig
    clock_ms: Callable[[], int]

    async def create_tournament(self, request: Request) -> Response:
        """`POST /v1/tournaments`: the create record is the commit; the same again finds the first answer."""
        principal = await self.callers.privileged(request)
        key = idempotency_key(request)
        if is_lines(request):
            return await self._create_each(request, principal, key)
        sent = require_json(request, self.config.max_body_bytes)
        known, create = await self._asked(principal, key, sent, self.log_clock.refusal)
        issued = await self.commands.issue(known, create, request.headers)
        if issued.outcome is None:
            return undecided(issued, id=known.text)
        self.reads.remember(known.tournament_id, public=known.public)
        body = (await self.reads.view(known)).body
        return Response(201, body, {**NO_STORE, "location": f"/v1/tournaments/{known.text}"})

    async def _create_each(self, request: Request, principal: Principal, key: str | None) -> Response:
        """The same of up to 1,000, one a line: one append; each is told of by its place."""
        if key is not None:
            raise invalid("Idempotency-Key", f"expected none, but `{KEY_FIELD}` in each line")
        lines = read_creates(request, self.config.max_body_bytes)
        refusals: dict[int, Problem | None] = {}

        async def refusal(partition: int) -> Problem | None:
            if partition not in refusals:
                refusals[partition] = await self.log_clock.refusal(partition)
            return refusals[partition]

        wanted: dict[int, tuple[Known, Create]] = {}
        rejected: dict[int, Problem] = {}
        for index, line in enumerate(lines):
            try:
                if line.problem is not None:
                    raise line.problem
                wanted[index] = await self._asked(principal, line.key, line.body, refusal)
            except Problem as problem:
                rejected[index] = problem
        made: list[dict[str, object]] = []
        answers = await self.commands.issue_each(list(wanted.values()), request.headers)
        for (index, (known, _)), issued in zip(wanted.items(), answers, strict=True):
            if isinstance(issued, Problem):
                rejected[index] = issued
                continue
            status = None if issued.outcome is None else issued.outcome.status
            if issued.outcome is not None:
                self.reads.remember(known.tournament_id, public=known.public)
            made.append({"index": index, "line": lines[index].line, "id": known.text, "status": status})
        named = [
            {"index": index, "line": lines[index].line, "code": problem.code, "detail": problem.detail}
            for index, problem in sorted(rejected.items())
        ]
        body = {"accepted": len(made), "tournaments": made, "rejected": named}
        return Response(202, _encode(body), dict(NO_STORE))

    async def _asked(
        self,
        principal: Principal,
        key: str | None,
        sent: bytes,
        refusal: Callable[[int], Awaitable[Problem | None]],
    ) -> tuple[Known, Create]:
        """What a body asks for. `refusal` tells why a partition takes no creates now. Raises Problem."""
        identity = tournament_id(principal.user_id, uuid.uuid4().hex if key is None else f"key:{key}")
        now_ms = self.clock_ms()
        spec, digest, problem = read_new_tournament(sent, now_ms)
        known = self.reads.fresh(identity, public=None if spec is None else spec.visibility == "public")
        refused = problem or await refusal(known.partition)
        if refused is not None and (key is None or not await self._exists(identity)):
            raise refused
        if spec is None:  # nor did this body make the tournament that is there
            raise Problem(0, "idempotency_conflict", "another tournament was created with this Idempotency-Key")
        # of what is there already the fold compares the digests alone: so a repeat finds its answer also when it would be refused by now
        create = Create(
            command_id=new_command_id(),
            creator=str(principal.user_id),
            created_ms=now_ms,
            spec=spec,
            dedicated=await self.owners.resolve_placement(identity, spec.placement, spec.capacity),
            salt=secrets.token_hex(16),
            request_digest=digest,
        )
        return known, create

    async def edit_tournament(self, request: Request) -> Response:
        """`PATCH /v1/tournaments/{id}`: what the state allows; `If-Match` compares the version."""
        principal = await self.callers.privileged(request)
        edit = read_edit(require_json(request, self.config.max_body_bytes))
        changes = changes_of(edit, self.clock_ms())
        known = await self.reads.visible(request.path["tournament"], principal)
        message = Edit(
            command_id=new_command_id(),
            by=str(principal.user_id),
            changes=changes,
            if_version=_if_version(request),
        )
        issued = await self.commands.issue(known, message, request.headers)
        await self._pass_on(
            known.tournament_id, "edit", lambda: Edit(command_id=new_command_id(), by=message.by, changes=changes)
        )
        if issued.outcome is None:
            return undecided(issued)
        return Response(200, (await self.reads.view(known, full=True)).body, dict(NO_STORE))

    async def start_tournament(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/start`."""
        return await self._command(request, Start)

    async def end_tournament(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/end`."""
        return await self._command(request, End)

    async def cancel_tournament(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/cancel`."""
        return await self._command(request, Cancel)

    async def reopen_tournament(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/reopen`: a mistaken end or cancel is undone."""
        await self.callers.privileged(request)
        body = require_json(request, self.config.max_body_bytes)
        wanted = read_reopening(body) if body.strip() else Reopening()
        ends_ms = UNSET if wanted.ends_at is UNSET else parse_time(wanted.ends_at)
        return await self._command(request, functools.partial(Reopen, ends_ms=ends_ms))

    async def reveal_table(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/reveal`."""
        return await self._command(request, Reveal)

    async def history(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/history`: who ordered what, for services and operators."""
        principal = await self.callers.privileged(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        reply = await self.reads.history(known)
        if not reply.found:
            raise unknown_tournament(known.text)
        request.personal = True
        return reply_response(request, reply)

    async def _command(self, request: Request, make: Callable[..., Start | End | Cancel | Reopen | Reveal]) -> Response:
        principal = await self.callers.privileged(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        by = str(principal.user_id)

        def order() -> Start | End | Cancel | Reopen | Reveal:
            return make(command_id=new_command_id(), by=by)

        # children first: so a call that ends half way can be repeated; and again, for those that were opened meanwhile
        message = order()
        told = await self._pass_on(known.tournament_id, message.kind, order)
        issued = await self.commands.issue(known, message, request.headers)
        await self._pass_on(known.tournament_id, message.kind, order, told)
        if issued.outcome is None:
            return undecided(issued)
        body = {"id": known.text, "status": issued.outcome.status, "version": issued.outcome.version}
        return Response(200, _encode(body), dict(NO_STORE))

    async def _pass_on(
        self, parent: int, command: str, order: Callable[[], Control], told: frozenset[int] = frozenset()
    ) -> frozenset[int]:
        """Order the same of what a tournament opened, but for those that were told; returns all of them. While the owner is away nobody can say
        what that is: then the command is undecided, and repeated."""
        try:
            children = await self.owners.read(parent, ChildrenQuery(command))
        except (OwnerUnavailableError, OwnerMovedError):
            return told
        fresh = [child for child in children if child not in told]
        if fresh:
            await self.commands.issue_to(fresh, order)
        for child in fresh:
            told |= await self._pass_on(child, command, order)
        return told.union(fresh)

    async def _exists(self, identity: int) -> bool:
        """Raises Problem 503 when nobody can tell."""
        try:
            await self.reads.find(str(identity))
        except Problem as problem:
            if problem.status != 404:
                raise
            return False
        return True


def idempotency_key(request: Request) -> str | None:
    """The key of a call that may be repeated. Raises Problem 422."""
    return check_key(request.headers.get("idempotency-key"), "Idempotency-Key")


def undecided(issued: Issued, **more: str) -> Response:
    """202: the command is in the log, its outcome not known; repeating the call does no harm."""
    body = {**more, "event_id": issued.command_id, "partition": issued.partition, "offset": issued.offset}
    headers = dict(NO_STORE)
    if "id" in more:
        headers["location"] = f"/v1/tournaments/{more['id']}"
    return Response(202, _encode(body), headers)


def _if_version(request: Request) -> int | None:
    """The version of `If-Match`, as `"3"` or 3; None without one, or for `*`. Raises Problem 412 for another form."""
    text = request.headers.get("if-match", "*").strip()
    if text == "*":
        return None
    matched = _VERSION.fullmatch(text)
    if matched is None:
        raise Problem(412, "version_mismatch", f'expected the version as If-Match: "3", got {text[:40]!r}')
    return int(matched[1])
