"""Erasure of a user: an operator's call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from actors.domain.messages import Erase
from serve_app.handlers.callers import Callers, path_user
from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Request, Response
from serve_app.services.commands import Commands, new_command_id
from storage.ports import Notices, Records

PAGE: Final = 500  # tournaments


@dataclass(frozen=True, slots=True)
class ErasureHandlers:
    """See the module."""

    callers: Callers
    commands: Commands
    records: Records
    notices: Notices

    async def erase_user(self, request: Request) -> Response:
        """`DELETE /v1/users/{user}`: 204 once it is in the log for each tournament that the records know the user to have been in.

        What was done before a failure stays done; to repeat it does no harm.
        """
        principal = await self.callers.operator(request)
        user_id = path_user(request, principal)
        await self.notices.forget_user(user_id)
        after = 0
        while tournaments := await self.records.took_part(user_id, after, PAGE):
            await self.commands.issue_to(
                tournaments, lambda: Erase(command_id=new_command_id(), user_id=str(user_id), by=str(principal.user_id))
            )
            after = tournaments[-1]
        return Response(204, headers=dict(NO_STORE))
