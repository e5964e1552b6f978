"""Prizes: the table, who won what and how far it is; approving, revoking, claiming."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from actors.domain.messages import ApprovePrizes
from actors.domain.prizes.allocation import Award, allocate
from actors.domain.prizes.ledger import OPEN, TABLE, Entry, moved
from actors.domain.prizes.money import amount_text
from actors.domain.prizes.rules import PrizeRule, rules_problems
from actors.domain.prizes.standings import PrizeStandings
from actors.domain.values import rfc3339
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers, path_user
from serve_app.handlers.tournaments import undecided
from serve_app.http.bodies import require_json, wrong_fields
from serve_app.http.caching import NO_STORE, PERSONAL, reply_response
from serve_app.http.headers import preferred_wait_s
from serve_app.http.messages import Request, Response
from serve_app.http.prize_bodies import PrizeChoice, read_choice, read_claim, read_preview, read_revocation
from serve_app.http.problems import FieldError, Problem, invalid, unavailable
from serve_app.http.query import query_int
from serve_app.services.commands import Commands, new_command_id
from serve_app.services.known import Known
from serve_app.services.reads import Reads, unknown_tournament
from storage.ports import LedgerChangedError, Owners, PrizeLedger, PrizesQuery, Reply

T = TypeVar("T", bound=msgspec.Struct)
MAX_WINNERS: Final = 1000
ENTRIES_A_WRITE: Final = 500
ATTEMPTS: Final = 5  # of a change that others' changes come before
LOOK_S: Final = 0.1
APPROVABLE: Final = ("pending_review", "failed", "revoked")


class _NoSuchPrize(Problem):
    """404: the user who is named has no such prize."""


_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class PrizeHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    owners: Owners
    commands: Commands
    ledger: PrizeLedger
    config: FrontConfig
    clock_ms: Callable[[], int]

    async def prizes(self, request: Request) -> Response:
        """`GET /v1/tournaments/{id}/prizes`: the rules and, once finished, a page of the winners."""
        principal = await self.callers.principal(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        page = (
            query_int(request.query, "cursor", 0, 0, 2**31 - 1),
            query_int(request.query, "limit", MAX_WINNERS, 1, MAX_WINNERS),
        )
        standings, body = await self._table(known, *page)
        return reply_response(request, Reply(found=True, public=standings.public, body=body))

    async def preview_prizes(self, request: Request) -> Response:
        """`POST .../prizes/preview`: who would win what if it ended now, by its own rules or by those of the body; nothing is written."""
        principal = await self.callers.privileged(request)
        wanted = self._body(request, read_preview)
        known = await self.reads.visible(request.path["tournament"], principal)
        rules = None if wanted is None or wanted.prizes is None else wanted.prizes
        if rules is not None:
            boards = (await self._standings(known)).boards
            if problems := rules_problems(rules, boards):
                raise wrong_fields([FieldError(*problem) for problem in problems])
        standings = await self._standings(known, table=True, rules=rules)
        awards = await _awards(standings)
        winners = [_award(award, standings.rules) for award in awards[:MAX_WINNERS]]
        body = {"rules": msgspec.to_builtins(standings.rules), "winners": winners, "total": len(awards)}
        return Response(200, _encode(body), dict(NO_STORE))

    async def approve_prizes(self, request: Request) -> Response:
        """`POST .../prizes/approve`: the result stands from now on, and prizes may be paid: all that wait for it, or those of one user."""
        principal = await self.callers.privileged(request)
        choice = self._body(request, read_choice) or PrizeChoice()
        known = await self.reads.visible(request.path["tournament"], principal)
        until_s = self._until_s(request)
        message = ApprovePrizes(command_id=new_command_id(), by=str(principal.user_id))
        issued = await self.commands.issue(known, message, request.headers)
        if issued.outcome is None:
            return undecided(issued)
        await self._await_ledger(known, until_s)

        def approved(entry: Entry, now_ms: int) -> Entry | None:
            named = choice.user_id is not None
            waits = entry.state == "pending_review" or (named and entry.state in APPROVABLE)
            if not waits or (entry.state == "revoked" and entry.changed_by == TABLE):
                return None
            return moved(entry, "approve", now_ms, principal.user_id, due_ms=now_ms)

        await self._change(known, choice, approved)
        return await self._changed_table(known)

    async def revoke_prizes(self, request: Request) -> Response:
        """`POST .../prizes/revoke`: what is not paid yet is not paid: all, or those of one user."""
        principal = await self.callers.privileged(request)
        revocation = self._body(request, read_revocation)
        choice = PrizeChoice() if revocation is None else PrizeChoice(revocation.user_id, revocation.rule)
        reason = "" if revocation is None or revocation.reason is None else revocation.reason
        known = await self.reads.visible(request.path["tournament"], principal)
        await self._await_ledger(known, self._until_s(request))  # or what is still to be written would be paid

        def revoked(entry: Entry, now_ms: int) -> Entry | None:
            if entry.state in OPEN:
                return moved(entry, "revoke", now_ms, principal.user_id, reason)
            if choice.user_id is not None and entry.state in ("paying", "paid"):
                raise Problem(
                    409, "prize_paid", f"the prize of rule {entry.rule} is {entry.state}: disqualify to take it back"
                )
            return None

        await self._change(known, choice, revoked)
        return await self._changed_table(known)

    async def claim_prizes(self, request: Request) -> Response:
        """`POST .../prizes/claim`: the winner asks for what is paid only then; again changes nothing."""
        principal = await self.callers.caller(request)
        claim = self._body(request, read_claim)
        user = None if claim is None or claim.user_id is None else int(claim.user_id)
        if principal.role == "service":
            if user is None:
                raise invalid("user_id", "expected the user for whom the service claims")
        elif principal.role != "player" or user not in (None, principal.user_id):
            raise Problem(403, "not_yours", "expected your own prize: others' are claimed by a service")
        known = await self.reads.visible(request.path["tournament"], principal)
        user_id = principal.user_id if user is None else user
        choice = PrizeChoice(str(user_id), None if claim is None else claim.rule)
        seen: list[Entry] = []

        def claimed(entry: Entry, now_ms: int) -> Entry | None:
            if not entry.claim or entry.kind != "prize" or entry.state == "revoked":
                return None
            seen.append(entry)
            if entry.claimed_ms is not None:
                return None
            return entry._replace(
                claimed_ms=now_ms,
                due_ms=now_ms,
                changed_ms=now_ms,
                changed_by=principal.user_id,
                version=entry.version + 1,
            )

        with contextlib.suppress(_NoSuchPrize):
            await self._change(known, choice, claimed)
        if not seen:
            raise Problem(409, "nothing_to_claim", "there is no prize of yours here that is to be claimed")
        entries = await self.ledger.entries(known.tournament_id)
        mine = [_winner(entry) for entry in entries if entry.user_id == user_id and _chosen(entry, choice)]
        return Response(200, _encode({"winners": mine}), dict(NO_STORE))

    async def user_prizes(self, request: Request) -> Response:
        """`GET /v1/users/{user}/prizes`: newest first, with their states."""
        principal = await self.callers.caller(request)
        user_id = path_user(request, principal)
        if not principal.privileged and user_id != principal.user_id:
            raise Problem(403, "not_yours", "expected your own user id")
        limit = query_int(request.query, "limit", 50, 1, 100)
        try:
            found, cursor = await self.ledger.user_prizes(user_id, request.query.get("cursor"), limit)
        except ValueError as error:
            raise invalid("cursor", "expected a cursor that an earlier page gave") from error
        items = [
            {
                "tournament_id": str(prize.entry.tournament_id),
                "tournament": prize.tournament_name,
                **_winner(prize.entry),
                "created_at": rfc3339(prize.entry.created_ms),
            }
            for prize in found
        ]
        return Response(200, _encode({"items": items, "next_cursor": cursor}), dict(PERSONAL))

    # -- the table ------------------------------------------------------------------------------------------------

    async def _standings(
        self, known: Known, *, table: bool = False, rules: tuple[PrizeRule, ...] | None = None
    ) -> PrizeStandings:
        standings = await self.owners.read(known.tournament_id, PrizesQuery(table=table, rules=rules))
        if not standings.found:
            raise unknown_tournament(known.text)
        return standings

    async def _table(self, known: Known, start: int, limit: int) -> tuple[PrizeStandings, bytes]:
        """A page of winners: as the ledger has them or, while it does not follow the table yet, as it will."""
        standings = await self._standings(known)
        winners: list[dict[str, Any]] = []
        if standings.status == "finished" and standings.rules:
            waits = await self.ledger.waits(known.tournament_id)
            entries = await self.ledger.entries(known.tournament_id)
            if waits:
                awards = await _awards(await self._standings(known, table=True))
                winners = _coming(awards, standings.rules, entries)
            else:
                winners = [_winner(entry) for entry in entries]
        more = len(winners) > start + limit
        body = {
            "rules": msgspec.to_builtins(standings.rules),
            "winners": winners[start : start + limit],
            "next_cursor": str(start + limit) if more else None,
        }
        return standings, _encode(body)

    async def _changed_table(self, known: Known) -> Response:
        _, body = await self._table(known, 0, MAX_WINNERS)
        return Response(200, body, dict(NO_STORE))

    # -- changes --------------------------------------------------------------------------------------------------

    def _until_s(self, request: Request) -> float:
        """Until when a call waits, by the monotonic clock."""
        return time.monotonic() + preferred_wait_s(request.headers, self.config.command_wait_s, self.config.max_wait_s)

    async def _await_ledger(self, known: Known, until_s: float) -> None:
        """Until the ledger follows the final table. Raises Problem 503: try again."""
        while await self.ledger.waits(known.tournament_id):
            if time.monotonic() >= until_s:
                raise unavailable("unavailable", "who wins what is being computed; try again", 1.0)
            await asyncio.sleep(LOOK_S)

    async def _change(self, known: Known, choice: PrizeChoice, change: Callable[[Entry, int], Entry | None]) -> None:
        """Change the chosen entries, in transactions of bounded size. Raises Problem 404 where one user is named who has none, 503."""
        for _ in range(ATTEMPTS):
            now_ms = self.clock_ms()
            entries = [e for e in await self.ledger.entries(known.tournament_id) if _chosen(e, choice)]
            if not entries and choice.user_id is not None:
                raise _NoSuchPrize(404, "prize_unknown", f"user {choice.user_id} has no such prize here")
            changed = [after for entry in entries if (after := change(entry, now_ms)) is not None]
            try:
                for start in range(0, len(changed), ENTRIES_A_WRITE):
                    await self.ledger.write(known.tournament_id, changed[start : start + ENTRIES_A_WRITE])
            except LedgerChangedError:
                continue  # somebody else was first: what they made of it is read
            return
        raise unavailable("unavailable", "the prizes are being changed by others; try again", 1.0)

    def _body(self, request: Request, read: Callable[[bytes], T]) -> T | None:
        body = require_json(request, self.config.max_body_bytes)
        return read(body) if body.strip() else None


async def _awards(standings: PrizeStandings) -> list[Award]:
    if standings.table is None:
        return []
    return await asyncio.to_thread(allocate, standings.rules, standings.table)


def _chosen(entry: Entry, choice: PrizeChoice) -> bool:
    return (choice.user_id is None or entry.user_id == int(choice.user_id)) and choice.rule in (None, entry.rule)


def _coming(awards: Sequence[Award], rules: Sequence[PrizeRule], entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """What the ledger is going to say: what it says already, where the table gives the same, and what is new."""
    newest = {(entry.rule, entry.user_id): entry for entry in entries}
    winners = []
    for award in awards:
        entry = newest.get((award.rule, award.user_id))
        kept = entry is not None and (entry.kind, entry.units) == ("prize", award.units)
        winners.append(_winner(entry) if entry is not None and kept else _award(award, rules))
    return winners


def _award(award: Award, rules: Sequence[PrizeRule]) -> dict[str, Any]:
    rule = rules[award.rule]
    shown = {"user_id": str(award.user_id), "rank": award.rank, "rule": award.rule, **_what(award.units, *rule.what)}
    return {
        **shown,
        "state": "pending_review",
        "kind": "prize",
        **({} if award.group is None else {"group": award.group}),
    }


def _winner(entry: Entry) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if entry.group is not None:
        more["group"] = entry.group
    if entry.claim and entry.kind == "prize":
        more["claimed_at"] = None if entry.claimed_ms is None else rfc3339(entry.claimed_ms)
    if entry.reason and entry.state in ("failed", "revoked"):
        more["reason"] = entry.reason
    return {
        "user_id": str(entry.user_id),
        "rank": entry.rank,
        "rule": entry.rule,
        **_what(entry.units, entry.currency, entry.item),
        "state": entry.state,
        "kind": entry.kind,
        **more,
    }


def _what(units: int, currency: str, item: str) -> dict[str, Any]:
    return (
        {"amount": amount_text(units, currency), "currency": currency} if currency else {"item": item, "count": units}
    )
