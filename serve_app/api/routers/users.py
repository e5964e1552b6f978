"""What is a user's own."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import DemoPlayer, NotificationsAnswer, UserTournamentPage
from serve_app.api.calls import AnyonesCall, CallersCall, Cursor, Limit, OperatorsCall, UserId
from serve_app.api.responses import TOKEN_OPTIONAL, json_body, operation, reads, writes
from serve_app.http.notification_schemas import Notifications

router = APIRouter(tags=["users"])


@operation(router, summary="A user's tournaments", responses=reads({200: UserTournamentPage}, 403, 404))
async def user_tournaments(call: CallersCall, user: UserId, cursor: Cursor = None, limit: Limit = None) -> WebResponse:
    """Who: that player, service, operator. Newest joined first."""
    return await call.answer("user_tournaments")


@operation(router, summary="Erase a user", status_code=204, responses=writes({204: None}, 403, 404))
async def erase_user(call: OperatorsCall, user: UserId) -> WebResponse:
    """Who: operator. Forgets the user's name, groups and notification settings in every tournament, also those that are over; scores and ranks
    stay. Where something is away it is 503, and to repeat the call goes on.
    """
    return await call.answer("erase_user")


@operation(router, summary="What a user is told, and where", responses=reads({200: NotificationsAnswer}, 403, 404))
async def notifications(call: CallersCall, user: UserId) -> WebResponse:
    """Who: that user. `available` says what this Palio offers, and the secret with which your webhooks are signed."""
    return await call.answer("notifications")


@operation(
    router,
    summary="Say what you want to be told, and where",
    responses=writes({200: NotificationsAnswer}, 403, 404, 415),
    openapi_extra=json_body(Notifications, NotificationsAnswer.sent),
)
async def set_notifications(call: CallersCall, user: UserId) -> WebResponse:
    """Who: that user. Replaces all settings; what is left out is as in the beginning."""
    return await call.answer("set_notifications")


@operation(
    router,
    summary="Become a demo player (where the demo is on)",
    status_code=201,
    responses=writes({201: DemoPlayer}, 404),
    security=TOKEN_OPTIONAL,
)
async def demo_player(call: AnyonesCall) -> WebResponse:
    """Who: all."""
    return await call.answer("demo_player")
