"""The server's side of a live socket: uvicorn's sans-I/O WebSocket protocol, its transport at the app's hands.

What it adds to uvicorn's: the app gets the connection itself (`scope["extensions"]["palio.connection"]`), hears at once of a full
or emptied write buffer and of the end, and every way of closing is bounded in time, also when the client reads nothing.
"""

from __future__ import annotations

import socket
from typing import Any, Final, Protocol, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from serve_app.live.protocol import CLOSE_SILENT, come_back

CONNECTION: Final = "palio.connection"
CLOSE_TIMEOUT_S: Final = 10.0  # for the client's answer to a close frame
KERNEL_BUFFER_BYTES: Final = 64 * 1024  # Linux doubles it for its own bookkeeping
LINGER_S: Final = 2.0  # bytes after a broken frame are read and dropped: a reset would overtake the close frame


class SocketEvents(Protocol):
    """What a connection tells the session it belongs to; all are called from the transport, and must not wait."""

    def pause(self) -> None:
        """More is unsent than the buffer should hold."""
        ...

    def resume(self) -> None:
        """Most of it is sent."""
        ...

    def leave(self) -> None:
        """Nothing may be written any more. May come more than once."""
        ...


class LiveConnection(WebSocketsSansIOProtocol):
    """See the module. `attach` once accepted; then whole frames may be written to `transport` until `leave`."""

    session: SocketEvents | None = None

    def attach(self, session: SocketEvents, buffer_bytes: int) -> None:
        """Tell `session` what happens from now on; it is paused beyond `buffer_bytes` unsent."""
        self.session = session
        # What the handshake left is a few kilobytes of headers, for as long as the socket lives.
        self.scope["headers"] = []
        del self.request, self.response
        self.transport.set_write_buffer_limits(high=buffer_bytes, low=buffer_bytes // 4)
        # Linux lets a send buffer grow to megabytes: stale updates that a slow client would get one by one before it gets the newest.
        kernel_socket = self.transport.get_extra_info("socket")
        if kernel_socket is not None:
            kernel_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame behind what is unsent; whatever the client does, the socket is gone in CLOSE_TIMEOUT_S."""
        if self.close_sent or self.transport.is_closing():
            return
        self._leave()
        self.stop_keepalive()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._end_within(CLOSE_TIMEOUT_S)

    def handle_connect(self, event: Request) -> None:
        """Take the opening handshake; the app is handed this connection."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The task that runs the app starts only after this.
            cast(dict[str, Any], self.scope["extensions"])[CONNECTION] = self

    def pause_writing(self) -> None:
        """More than the buffer's limit is unsent."""
        super().pause_writing()
        if self.session is not None:
            self.session.pause()

    def resume_writing(self) -> None:
        """Most of it is sent."""
        super().resume_writing()
        if self.session is not None:
            self.session.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._leave()
        super().connection_lost(exc)
        self.session = None

    def handle_close(self, event: Frame) -> None:
        """The client closes."""
        self._leave()
        super().handle_close(event)
        self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def shutdown(self) -> None:
        """The server stops: close with 1012."""
        self._leave()
        super().shutdown()
        self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """No answer to a ping."""
        self.pong_timer = None
        self.close(CLOSE_SILENT, come_back(0))
        self.transport.abort()  # a client that does not answer pings does not read the close frame either

    def handle_parser_exception(self) -> None:
        """The client sent what is no frame, or one too big (1009)."""
        if self.close_sent:
            return  # more of what was broken
        self._leave()
        self.stop_keepalive()
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self._end_within(LINGER_S)

    def _leave(self) -> None:
        if self.session is not None:
            self.session.leave()

    def _end_within(self, seconds: float) -> None:
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)
