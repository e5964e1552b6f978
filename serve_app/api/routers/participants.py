"""Taking part in a tournament."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import Accepted, BatchAnswer, JoinOutcome, Participant
from serve_app.api.calls import AnyonesCall, CallersCall, ManagersCall, Prefer, TournamentId, UserId
from serve_app.api.responses import TOKEN_OPTIONAL, batch_body, json_body, operation, reads, writes
from serve_app.http.request_schemas import BatchJoin, Disqualification, JoinRequest, ParticipantEdit

router = APIRouter(tags=["participants"])
_ITEM: Final = {"tournament_id": "8127364512893471", "user_id": "42", "name": "Ann"}


@operation(
    router,
    summary="Join",
    status_code=201,
    responses=writes({201: JoinOutcome, 200: JoinOutcome, 202: Accepted}, 403, 404, 409, 415),
    openapi_extra=json_body(JoinRequest, {"name": "Ann"}, required=False),
)
async def join(call: CallersCall, tournament: TournamentId, user: UserId, prefer: Prefer = None) -> WebResponse:
    """Who: that player, service. 201 the first time, 200 again."""
    return await call.answer("join")


@operation(router, summary="Leave", status_code=204, responses=writes({204: None, 202: Accepted}, 403, 404, 409))
async def leave(call: CallersCall, tournament: TournamentId, user: UserId, prefer: Prefer = None) -> WebResponse:
    """Who: that player, service."""
    return await call.answer("leave")


@operation(
    router,
    summary="A participant's standing",
    responses=reads({200: Participant}, 404),
    security=TOKEN_OPTIONAL,
)
async def participant(call: AnyonesCall, tournament: TournamentId, user: UserId) -> WebResponse:
    """Who: all."""
    return await call.answer("participant")


@operation(
    router,
    summary="Up to 1,000 joins",
    status_code=202,
    responses=writes({200: BatchAnswer, 202: BatchAnswer}, 403, 415),
    openapi_extra=batch_body(BatchJoin, _ITEM),
)
async def join_batch(call: CallersCall, prefer: Prefer = None) -> WebResponse:
    """Who: service. As an array, or one a line; what is wrong is named, the rest is in the log, undecided. With `Prefer: wait=N` 200 once all
    are decided, and those that the tournament refused are named, too, such as `tournament_full`. Twice does no harm."""
    return await call.answer("join_batch")


@operation(
    router,
    summary="Begin one's own window",
    responses=writes({200: Participant, 202: Accepted}, 403, 404, 409),
)
async def begin(call: CallersCall, tournament: TournamentId, user: UserId, prefer: Prefer = None) -> WebResponse:
    """Who: that player, service. Where the tournament has `window_s`; again changes nothing."""
    return await call.answer("begin")


@operation(router, summary="Say that one is done", responses=writes({200: Participant, 202: Accepted}, 403, 404, 409))
async def done(call: CallersCall, tournament: TournamentId, user: UserId, prefer: Prefer = None) -> WebResponse:
    """Who: that player, service. Later scores are ignored, `done`; where `ends_when` says `all_done`, the last one ends it."""
    return await call.answer("done")


@operation(
    router,
    summary="Give a participant extra time",
    responses=writes({200: Participant, 202: Accepted}, 403, 404, 409, 415),
    openapi_extra=json_body(ParticipantEdit, {"extra_s": 900}),
)
async def edit_participant(
    call: ManagersCall, tournament: TournamentId, user: UserId, prefer: Prefer = None
) -> WebResponse:
    """Who: service, operator. So much longer their scores count, beyond the end as well; the tournament is finished after the last."""
    return await call.answer("edit_participant")


@operation(
    router,
    summary="Disqualify a participant",
    responses=writes({200: Participant, 202: Accepted, 204: None}, 403, 404, 409, 415),
    openapi_extra=json_body(Disqualification, {"reason": "Two accounts"}),
)
async def disqualify(call: ManagersCall, tournament: TournamentId, user: UserId, prefer: Prefer = None) -> WebResponse:
    """Who: service, operator. Also after the end: the table closes up, and `revision` rises. 204 for one who has left."""
    return await call.answer("disqualify")


@operation(
    router,
    summary="Reinstate a participant",
    responses=writes({200: Participant, 202: Accepted, 204: None}, 403, 404, 409),
)
async def reinstate(call: ManagersCall, tournament: TournamentId, user: UserId, prefer: Prefer = None) -> WebResponse:
    """Who: service, operator. Their score counts again, until the prizes are paid; 204 for one who has left."""
    return await call.answer("reinstate")
