"""`POST /v1/events`: scores as CloudEvents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from serve_app.handlers.scores import accepted
from serve_app.http.bodies import decoded_body, media_type
from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import Problem
from serve_app.standards.cloud_events import BATCHED, STRUCTURED, batch_items, binary_event, read_event
from serve_app.standards.submissions import Submissions
from storage.ports import NewRecord

KIND: Final = "cloudevent"
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class CloudEventHandlers:
    """See the module."""

    submissions: Submissions

    async def submit_events(self, request: Request) -> Response:
        """One event, structured or binary: 202 as for a score. A batch: 202 as for a batch of scores, each wrong event with its reason."""
        principal = await self.submissions.callers.caller(request)
        max_bytes = self.submissions.config.max_body_bytes
        kind, body = media_type(request), decoded_body(request, max_bytes)
        if kind == BATCHED:
            return await self._batch(batch_items(body), principal, request.client)
        given = read_event(body if kind == STRUCTURED else binary_event(request.headers, body))
        target = (await self.submissions.targets([given.tournament], principal))[given.tournament]
        if isinstance(target, Problem):
            raise target
        record = self.submissions.scores.record(target, given.submission, principal)
        offset = (await self.submissions.append([record], KIND))[0]
        return accepted(given.submission.event_id, target.partition, offset)

    async def _batch(self, items: list[msgspec.Raw], principal: Principal, client: str) -> Response:
        """What is right is taken, what is wrong is named by its index, as in every batch."""
        rejected: dict[int, Problem] = {}
        given = {}
        for index, item in enumerate(items):
            try:
                given[index] = read_event(item)
            except Problem as problem:
                rejected[index] = problem
        self.submissions.count(principal, client, len(given) - 1)
        targets = await self.submissions.targets((event.tournament for event in given.values()), principal)
        records: list[NewRecord] = []
        for index, (tournament, submission) in given.items():
            target = targets[tournament]
            try:
                if isinstance(target, Problem):
                    raise target
                records.append(self.submissions.scores.record(target, submission, principal))
            except Problem as problem:
                rejected[index] = problem
        await self.submissions.append(records, KIND)
        named = [_named(index, rejected[index]) for index in sorted(rejected)]
        return Response(202, _encode({"accepted": len(records), "rejected": named}), dict(NO_STORE))


def _named(index: int, problem: Problem) -> dict[str, Any]:
    return {"index": index, "code": problem.code, "detail": problem.detail}
