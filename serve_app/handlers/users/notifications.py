"""What a user wants to be told: read and replaced by the user alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from actors.domain.notices.events import EVENTS
from actors.domain.notices.secrets import webhook_secret
from actors.domain.notices.settings import DEFAULTS, LANGUAGES, NotificationSettings
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers, path_user
from serve_app.http.bodies import require_json
from serve_app.http.caching import PERSONAL
from serve_app.http.messages import Request, Response
from serve_app.http.notification_schemas import read_notifications, shown
from serve_app.http.problems import Problem, unavailable
from storage.ports import Notices

ATTEMPTS: Final = 5  # to replace what somebody else replaces at the same time
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class NotificationHandlers:
    """See the module."""

    callers: Callers
    notices: Notices
    config: FrontConfig

    async def notifications(self, request: Request) -> Response:
        """`GET /v1/users/me/notifications`."""
        user_id = await self._own(request)
        found = await self.notices.settings_of([user_id])
        return self._answer(user_id, found[user_id].settings if user_id in found else DEFAULTS)

    async def set_notifications(self, request: Request) -> Response:
        """`PUT` the same: replaces all of it."""
        user_id = await self._own(request)
        body = require_json(request, self.config.max_body_bytes)
        there, private = self.config.notice_channels, self.config.notification_private_addresses
        settings = read_notifications(body, there, private=private)
        for _ in range(ATTEMPTS):
            found = await self.notices.settings_of([user_id])
            if await self.notices.put_settings(user_id, settings, found[user_id].version if user_id in found else 0):
                return self._answer(user_id, settings)
        raise unavailable("unavailable", "these settings are being changed by others; try again")

    async def _own(self, request: Request) -> int:
        principal = await self.callers.caller(request)
        user_id = path_user(request, principal)
        if user_id != principal.user_id:
            raise Problem(403, "not_yours", "expected your own user id: nobody else may see or set where you are told")
        return user_id

    def _answer(self, user_id: int, settings: NotificationSettings) -> Response:
        config = self.config
        webhook = "webhook" in config.notice_channels
        available: dict[str, Any] = {
            "channels": config.notice_channels,
            "languages": LANGUAGES,
            "events": EVENTS,
            "push_public_key": config.push_public_key or None,
            "webhook_secret": webhook_secret(config.notification_webhook_secret, user_id) if webhook else None,
        }
        return Response(200, _encode({**shown(settings), "available": available}), dict(PERSONAL))
