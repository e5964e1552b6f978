"""Many at once, for services: scores, and joins. One append a batch; each item that is wrong is named by its index and a code.

A batch is answered once it is in the log. What becomes of its items only the fold says, as of a score that nobody waits for. Whoever prefers to
wait for joins is told which of them it refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET

from actors.domain.messages import Join, encode_message, encode_score
from actors.domain.signing import Signer
from actors.domain.texts import check_name, normal_name
from actors.domain.values import hundredths, parse_id
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.handlers.scores import fitting_value
from serve_app.http.batches import Batch, read_joins, read_scores
from serve_app.http.caching import NO_STORE
from serve_app.http.headers import preferred_wait_s
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem
from serve_app.http.request_schemas import (
    MAX_PLAYER_NAME,
    BatchJoin,
    BatchSubmission,
    check_attributes,
    check_result,
    normal_attributes,
)
from serve_app.services.commands import new_command_id, refused
from serve_app.services.known import Known
from serve_app.services.outcome_waiters import Waiters
from serve_app.services.reads import Reads
from serve_app.services.retention import Appends
from storage.ports import NewRecord, Owners, OwnerUnavailableError

FIND_AT_ONCE: Final = 16
_encode = msgspec.json.Encoder().encode
Item = TypeVar("Item", BatchSubmission, BatchJoin)


@dataclass(frozen=True, slots=True)
class BatchHandlers:
    """See the module. `entrypoint` is the metrics' label."""

    callers: Callers
    reads: Reads
    owners: Owners
    appends: Appends
    waiters: Waiters
    signer: Signer
    config: FrontConfig
    entrypoint: str

    async def submit_batch(self, request: Request) -> Response:
        """`POST /v1/scores`: up to 1,000 scores."""
        await self._service(request)
        batch = read_scores(request, self.config.max_body_bytes)
        await self._learn_rules(
            {item.tournament_id for item in batch.items if item is not None and not _is_plain(item)}
        )
        return (await self._append(batch, score_record, "batch_score"))[0]

    async def join_batch(self, request: Request) -> Response:
        """`POST /v1/participants`: up to 1,000 joins, of private tournaments, too, as a service may.

        202 once they are in the log; with `Prefer: wait` 200 once all are decided: then `rejected` names those that were refused, too. 202
        as well when that takes longer, with those that are known to be refused.
        """
        await self._service(request)
        batch = read_joins(request, self.config.max_body_bytes)
        wait_s = preferred_wait_s(request.headers, 0.0, self.config.max_wait_s)
        response, tournaments = await self._append(batch, self.join_record, "batch_join", wait_s)
        for tournament in tournaments:
            self.reads.invalidate(tournament)
        return response

    async def _service(self, request: Request) -> None:
        if (await self.callers.caller(request)).role != "service":
            raise Problem(403, "role_forbidden", "expected the role service")

    async def _append(
        self, batch: Batch[Item], record: Callable[[Known, Item], NewRecord], kind: str, wait_s: float = 0.0
    ) -> tuple[Response, set[str]]:
        """The answer, and the tournaments of what was appended. `record` raises ValueError for what is wrong with an item."""
        items, rejected, lines = batch
        await self._find_all({item.tournament_id for item in items if item is not None})
        reply_to = self.waiters.reply_to(wait_s)
        records: list[NewRecord] = []
        indices: list[int] = []
        tournaments: set[str] = set()
        for index, item in enumerate(items):
            if item is None:
                continue
            known = self.reads.known(item.tournament_id)
            if known is None:
                rejected.append((index, "tournament_unknown"))
                continue
            try:
                records.append(record(known, item)._replace(reply_to=reply_to))
            except ValueError:
                rejected.append((index, "invalid"))
                continue
            indices.append(index)
            tournaments.add(known.text)
        status = 202
        if records:
            offsets = await self.appends.accept(records, kind, self.entrypoint, self.config.append_timeout_s)
            if reply_to:
                outcomes = await self._outcomes(records, offsets, wait_s)
                rejected += [(index, code) for index, code in zip(indices, outcomes, strict=True) if code]
                status = 202 if None in outcomes else 200
        named = [
            {"index": index, **({"line": lines[index]} if lines else {}), "code": code}
            for index, code in sorted(rejected)
        ]
        answer = {"accepted": len(items) - len(named), "rejected": named}
        return Response(status, _encode(answer), dict(NO_STORE)), tournaments

    async def _outcomes(self, records: list[NewRecord], offsets: list[int], wait_s: float) -> list[str | None]:
        """What became of each: the code of a refusal, empty for none, None for what is not known in time."""
        waits = (
            self.waiters.wait(record.partition, offset, wait_s) for record, offset in zip(records, offsets, strict=True)
        )
        outcomes = await asyncio.gather(*waits)
        return [
            None if outcome is None else refused(outcome).code if outcome.outcome == "refused" else ""
            for outcome in outcomes
        ]

    def join_record(self, known: Known, item: BatchJoin) -> NewRecord:
        """The record of a join, as a service orders it. Raises ValueError for what is wrong with it."""
        user_id, name = parse_id(item.user_id), None
        if item.name is not None:
            check_name(item.name, max_chars=MAX_PLAYER_NAME)
            name = normal_name(item.name)
        if item.attributes is not UNSET:
            check_attributes(item.attributes)
        join = Join(
            command_id=new_command_id(),
            user_id=str(user_id),
            name=name,
            invited=True,
            attributes=normal_attributes(item.attributes),
        )
        value = encode_message(join)
        return NewRecord(known.partition, known.key, value, self.signer.sign(known.key, value))

    async def _learn_rules(self, tournaments: set[str]) -> None:
        """Of those for which there is more than plain scores."""
        await self._find_all(tournaments)
        gate = asyncio.Semaphore(FIND_AT_ONCE)

        async def learn(known: Known) -> None:
            async with gate:
                await self.reads.learn_rules(known)

        found = (self.reads.known(text) for text in tournaments)
        await asyncio.gather(*(learn(known) for known in found if known is not None and known.rules is None))

    async def _find_all(self, tournaments: set[str]) -> None:
        """Make known what exists of these; raises Problem 503 when that cannot be told of one of them."""
        unknown = {text: number for text in tournaments if self.reads.known(text) is None and (number := _id(text))}
        if not unknown:
            return
        try:
            found = await self.owners.positions(list(unknown.values()))
        except OwnerUnavailableError:
            found = {}
        for tournament_id in found:
            self.reads.remember(tournament_id, public=None)
        gate = asyncio.Semaphore(FIND_AT_ONCE)

        async def find(text: str) -> None:
            async with gate:
                try:
                    await self.reads.find(text)
                except Problem as problem:
                    if problem.status != 404:
                        raise

        await asyncio.gather(*(find(text) for text in unknown if self.reads.known(text) is None))


def _is_plain(item: BatchSubmission) -> bool:
    return item.result is UNSET and item.subscore is UNSET


def score_record(known: Known, item: BatchSubmission) -> NewRecord:
    """The record of a score. Raises ValueError for what is wrong with it."""
    if known.plain and _is_plain(item) and item.score is not UNSET:
        value = encode_score(item.event_id, parse_id(item.user_id), hundredths(item.score))
        return NewRecord(known.partition, known.key, value)
    if (item.score is UNSET) == (item.result is UNSET):
        raise ValueError("expected either score or result")
    if item.result is not UNSET:
        check_result(item.result)
    try:
        value = fitting_value(known, item, parse_id(item.user_id))
    except Problem as problem:
        raise ValueError(problem.detail) from None
    return NewRecord(known.partition, known.key, value)


def _id(text: str) -> int:
    try:
        return parse_id(text)
    except ValueError:
        return 0
