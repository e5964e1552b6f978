"""Submitting scores."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import Accepted, BatchAnswer, ScoreOutcome
from serve_app.api.calls import CallersCall, Prefer, TournamentId
from serve_app.api.responses import batch_body, json_body, operation, writes
from serve_app.http.request_schemas import BatchSubmission, Submission

router = APIRouter(tags=["scores"])
_ITEM: Final = {"tournament_id": "8127364512893471", "event_id": "exam-42-1", "user_id": "42", "score": 912.5}


@operation(
    router,
    summary="Submit a score",
    status_code=202,
    responses=writes({202: Accepted, 200: ScoreOutcome}, 403, 404, 415),
    openapi_extra=json_body(Submission, {"event_id": "exam-42-1", "score": 912.5}),
)
async def submit_score(call: CallersCall, tournament: TournamentId, prefer: Prefer = None) -> WebResponse:
    """Who: that player, service, which names the user. 200 with the outcome if it is waited for."""
    return await call.answer("submit_score")


@operation(
    router,
    summary="Submit up to 1,000 scores",
    status_code=202,
    responses=writes({202: BatchAnswer}, 403, 415),
    openapi_extra=batch_body(BatchSubmission, _ITEM),
)
async def submit_batch(call: CallersCall) -> WebResponse:
    """Who: service. As an array, or one a line; what is wrong is named, the rest is taken."""
    return await call.answer("submit_batch")
