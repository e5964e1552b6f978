"""One live socket's conversation: auth, subscribe, unsubscribe, submit, one message after the other.

Bounds: subscriptions, and what the connection sees to: frames a second (messages beyond are answered with errors), and answers: while
the client does not take what it is sent, its messages are not read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from serve_app.config import FrontConfig
from serve_app.http.messages import Principal
from serve_app.http.problems import Problem
from serve_app.live.connection import FRAMES_A_SECOND, FRAMES_AT_ONCE, LiveConnection
from serve_app.live.hub import Hub
from serve_app.live.protocol import (
    BINARY_FRAME,
    OVERLOADED,
    RATE_LIMITED,
    TOO_MANY_SUBSCRIPTIONS,
    UNAUTHORIZED,
    Auth,
    MessageError,
    MessageId,
    Submit,
    Subscribe,
    error_frame,
    ok_frame,
    parse_message,
    parse_submit,
    signed_out_frame,
)
from serve_app.live.submissions import LiveScores, Submissions
from serve_app.live.topic import Subscription, Write
from serve_app.live.topics import TopicsFullError
from serve_app.security.auth import Authenticator

LONGEST_TIMER_S: Final = 3600.0

logger = logging.getLogger(__name__)


class LiveSession:
    """See the module; a `serve_app.live.topic.Socket` and a `serve_app.live.connection.SocketEvents`."""

    __slots__ = (
        "_authenticator",
        "_config",
        "_connection",
        "_expiry",
        "_gone",
        "_hub",
        "_idle",
        "_scores",
        "_submissions",
        "address",
        "paused",
        "principal",
        "sees_all",
        "subscriptions",
        "user",
        "write",
    )

    def __init__(
        self,
        connection: LiveConnection,
        hub: Hub,
        authenticator: Authenticator,
        scores: LiveScores,
        config: FrontConfig,
        address: str,
    ) -> None:
        self._connection = connection
        self._hub = hub
        self._authenticator = authenticator
        self._scores = scores
        self._submissions: Submissions | None = None  # made for the first one
        self._config = config
        self._idle = False  # it waits for a message
        self._expiry: asyncio.TimerHandle | None = None
        self._gone = False
        self.address = address
        self.write: Write = connection.transport.write
        self.paused = False
        self.principal: Principal | None = None
        self.user: int | None = None
        self.sees_all = False
        self.subscriptions: dict[int, Subscription] = {}

    async def run(self, receive: Callable[[], Awaitable[Any]]) -> None:
        """Converse until the socket is gone."""
        while True:
            self._idle = True
            message = await receive()
            self._idle = False
            if message["type"] == "websocket.disconnect":
                return
            if self.paused:
                await self._connection.writable.wait()
            if self._gone:
                return  # what it asks for now would never be given back
            if message["text"] is None:
                self._refuse(None, BINARY_FRAME, "expected text frames, got a binary one")
            else:
                await self._obey(message["text"], message["within_allowance"])

    # From the transport

    def pause(self) -> None:
        """The client does not keep up."""
        if not self.paused:
            self.paused = True
            self._hub.slow.pause(self)

    def resume(self) -> None:
        """It does again."""
        self.paused = False
        self._hub.slow.resume(self)

    def leave(self) -> None:
        """Nothing may be written any more."""
        self._gone = True
        self._submissions = None  # what is on its way knows where its answers go
        self._hub.leave(self)
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def take(self, message: bytearray, within_allowance: bool) -> bool:
        """Take a score at once, if it is one for which nobody has to be asked."""
        if not (self._idle and within_allowance and b'"submit"' in message) or self.principal is None:
            return False
        submit = parse_submit(message)
        if submit is None:
            return False
        try:
            record = self._scores.at_once(submit.submission, self.principal, self.address)
        except Exception as error:
            self.send(self._scores.refusals([submit.id], error))
            return True
        if record is None:
            return False
        self._on_its_way().add(submit.id, record)
        return True

    def send(self, frame: bytes) -> None:
        """Write a whole frame, unless the socket is closed or closing."""
        connection = self._connection
        if not (connection.close_sent or connection.transport.is_closing()):
            self.write(frame)

    def close(self, code: int, reason: str) -> None:
        """Close the socket; `leave` follows at once."""
        self._connection.close(code, reason)

    # From the client

    async def _obey(self, text: str, within_allowance: bool) -> None:
        try:
            message = parse_message(text)
            if isinstance(message, Subscribe):
                self._check_room(message)
            if not within_allowance:
                self._refuse(message.id, RATE_LIMITED, f"expected at most {FRAMES_A_SECOND:.0f} frames a second")
            elif isinstance(message, Auth):
                await self._authenticate(message)
            elif isinstance(message, Subscribe):
                self._subscribe(message)
            elif isinstance(message, Submit):
                await self._submit(message)
            else:
                self._hub.subscriptions.remove(self, message.tournament_id)
                self.send(ok_frame(message.id))
        except MessageError as error:
            self._refuse(error.id, error.code, str(error))

    def _check_room(self, message: Subscribe) -> None:
        if (
            message.tournament_id not in self.subscriptions
            and len(self.subscriptions) >= self._config.max_subscriptions
        ):
            text = f"expected at most {self._config.max_subscriptions} subscriptions a socket; unsubscribe, or open another"
            raise MessageError(TOO_MANY_SUBSCRIPTIONS, text, message.id)

    def _subscribe(self, message: Subscribe) -> None:
        if message.me and self.user is None:
            raise MessageError(UNAUTHORIZED, "me: send auth first", message.id)
        try:
            self._hub.subscriptions.add(self, message.id, message.tournament_id, message.since, message.me)
        except TopicsFullError as error:
            raise MessageError(OVERLOADED, str(error), message.id) from None

    async def _submit(self, message: Submit) -> None:
        try:
            record = await self._scores.after_asking(message.submission, self.principal, self.address)
        except Exception as error:
            self.send(self._scores.refusals([message.id], error))
            return
        if not self._gone:  # else nobody would hear of it: it is sent again
            self._on_its_way().add(message.id, record)

    def _on_its_way(self) -> Submissions:
        if self._submissions is None:
            self._submissions = Submissions(self._scores, self._connection, self.send)
        return self._submissions

    async def _authenticate(self, message: Auth) -> None:
        try:
            principal = await self._authenticator.authenticate_token(message.token)
        except Problem as problem:
            code = UNAUTHORIZED if problem.status == 401 else problem.code
            raise MessageError(code, problem.detail, message.id) from None
        if self._gone:
            return
        if self.user is not None and self.user != principal.user_id:
            self._hub.subscriptions.sign_out(self, "other_user")
        self.principal = principal
        self._hub.sign(self, self.user, principal.user_id)
        self.user = principal.user_id
        self.sees_all, saw_all = principal.privileged, self.sees_all
        if saw_all and not self.sees_all:
            self._hub.subscriptions.lose_rights(self)
        if saw_all != self.sees_all:
            self._allow()
        self._arm_expiry()
        self.send(ok_frame(message.id))

    def _allow(self) -> None:
        """A service sends the scores of many: as many frames as its calls."""
        if self.sees_all:
            config = self._config
            self._connection.allow(max(FRAMES_A_SECOND, config.service_rate), max(FRAMES_AT_ONCE, config.service_burst))
        else:
            self._connection.allow(FRAMES_A_SECOND, FRAMES_AT_ONCE)

    def _arm_expiry(self) -> None:
        assert self.principal is not None
        if self._expiry is not None:
            self._expiry.cancel()
        left_s = min(max(self.principal.expires_s - time.time(), 0.0), LONGEST_TIMER_S)
        self._expiry = asyncio.get_running_loop().call_later(left_s, self._expire)

    def _expire(self) -> None:
        assert self.principal is not None
        if time.time() < self.principal.expires_s:
            self._arm_expiry()
            return
        self._hub.sign(self, self.user, None)
        self._expiry = self.principal = self.user = None
        if self.sees_all:
            self.sees_all = False
            self._allow()
        self._hub.subscriptions.sign_out(self, "token_expired")
        self.send(signed_out_frame("token_expired"))

    def _refuse(self, message_id: MessageId, code: str, message: str) -> None:
        self.send(error_frame(message_id, code, message))
