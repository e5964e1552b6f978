"""The server's side of a live socket: uvicorn's sans-I/O WebSocket protocol, its transport at the app's hands.

What it adds to uvicorn's: the app gets the connection itself (`scope["extensions"]["palio.connection"]`), hears at once of a full
or emptied write buffer and of the end, and every way of closing is bounded in time, also when the client reads nothing.

What a client sends is bounded, too. Every frame counts, control frames and empty fragments included. The parser gets SLICE_BYTES at a
time, and other connections have their turn in between; beyond the allowance it gets a slice only when there is room for one more frame; a
client that sends many times the allowance is closed with 1008. Nothing is read while a message waits for the session, or while the client
does not take what was written, so that answers to pings stay within the socket's bound.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.transports import BaseTransport
from typing import Any, Final, Protocol, cast

from uvicorn._types import ASGIReceiveEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import HeaderLineTooLong, RequestLineTooLong, TooManyHeaders
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.protocol import Protocol as WebSocketProtocol

from serve_app.live.limits.allowance import Allowance
from serve_app.live.protocol import CLOSE_SILENT, come_back
from serve_app.live.slim import SlimEvent, SlimQueue
from serve_app.metrics import HANDSHAKES

CONNECTION: Final = "palio.connection"
FRAMES_A_SECOND: Final = 100.0
FRAMES_AT_ONCE: Final = 400.0  # four times the subscriptions a socket may have: all of them anew, twice over
FLOOD_TIMES: Final = 10  # that many a second, beyond which the socket is closed
FLOOD_AT_ONCE_TIMES: Final = 25
SLICE_BYTES: Final = 1024  # up to 170 frames, some 2 ms of work
NOTHING: Final = memoryview(b"")
HANDSHAKE_TIMEOUT_S: Final = 10.0  # from the whole head to 101
CLOSE_TIMEOUT_S: Final = 10.0  # for the client's answer to a close frame
KERNEL_BUFFER_BYTES: Final = 64 * 1024  # Linux doubles it for its own bookkeeping
TOO_LONG: Final[dict[type, int]] = {RequestLineTooLong: 414, HeaderLineTooLong: 431, TooManyHeaders: 431}
LINGER_S: Final = (
    2.0  # bytes after a refused handshake or a broken frame are dropped: a reset would overtake the answer
)


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

    def take(self, message: bytearray, within_allowance: bool) -> bool:
        """Obey a text message if that needs no waiting, else do nothing: it comes by `receive` then. Whether it was obeyed."""
        ...


class LiveApp(Protocol):
    """What a connection needs of the app it serves."""

    def refuse_handshake(self, connection: LiveConnection, status: int, detail: str) -> None:
        """Answer a handshake that is none with an error (400, 408, 414 or 431), by `connection.refuse`."""
        ...


class LiveConnection(WebSocketsSansIOProtocol):
    """See the module. `attach` once accepted; then whole frames may be written to `transport` until `leave`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.queue = SlimQueue()  # type: ignore[assignment]  # of those that uvicorn has made, as small as may be
        self.writable = SlimEvent(is_set=True)  # type: ignore[assignment]
        now_s = self.loop.time()
        self.session: SocketEvents | None = None
        self._allowance = Allowance(FRAMES_A_SECOND, FRAMES_AT_ONCE, now_s)
        self._flood = Allowance(FLOOD_TIMES * FRAMES_A_SECOND, FLOOD_AT_ONCE_TIMES * FRAMES_AT_ONCE, now_s)
        self._unparsed = NOTHING
        self._turn: asyncio.Handle | None = None  # of the next slice
        self._message = bytearray()  # its fragments so far
        self._is_text = True
        self._held = False  # what the client sends has to wait
        self._deaf = False  # what the client sends is dropped
        self._handshake_timer: asyncio.TimerHandle | None = None

    # The handshake

    def connection_made(self, transport: BaseTransport) -> None:
        """A transport whose client asks for a live socket; the head of its request comes next, whole."""
        super().connection_made(transport)
        HANDSHAKES.inc()
        self._handshake_timer = self.loop.call_later(HANDSHAKE_TIMEOUT_S, self._too_late)

    def attach(self, session: SocketEvents, buffer_bytes: int) -> None:
        """Tell `session` what happens from now on; it is paused beyond `buffer_bytes` unsent."""
        self._end_handshake()
        self.session = session
        # What the handshake left is a few kilobytes of headers, for as long as the socket lives; the parser of a server's connection holds them,
        # too, and goes on with the one that it begins here.
        cast(dict[str, Any], self.scope).clear()
        del self.request, self.response
        self.conn.parser = WebSocketProtocol.parse(self.conn)
        next(self.conn.parser)
        self.transport.set_write_buffer_limits(high=buffer_bytes, low=buffer_bytes // 4)
        # Linux lets its buffers grow to megabytes: of stale updates, which a slow client would get one by one before it gets the newest, and
        # of what a client sends faster than it may.
        kernel_socket = self.transport.get_extra_info("socket")
        if kernel_socket is not None:
            kernel_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
            kernel_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER_BYTES)
        self._go_on()

    def hold(self, held: bool) -> None:
        """Take no further message for now, or go on."""
        self._held = held
        self._go_on()

    def allow(self, frames_a_second: float, frames_at_once: float) -> None:
        """How many frames the client may send from now on, and with them how many are a flood."""
        now_s = self.loop.time()
        self._allowance = Allowance(frames_a_second, frames_at_once, now_s)
        self._flood = Allowance(FLOOD_TIMES * frames_a_second, FLOOD_AT_ONCE_TIMES * frames_at_once, now_s)

    def refuse(self, answer: bytes) -> None:
        """Write `answer`, a whole HTTP response, instead of 101, and end the connection in such a way that it arrives."""
        self._end_handshake()
        self.handshake_complete = True  # or uvicorn logs an error for each refusal
        self._write_last(answer)

    def _take_handshake(self, head: bytes) -> None:
        self.handshake_initiated = True
        self.conn.receive_data(head)
        for request in self.conn.events_received():
            if self.conn.accept(cast(Request, request)).status_code == 101:
                self.handle_connect(cast(Request, request))
        error = self.conn.handshake_exc  # which uvicorn never looks at
        if error is None:
            # The task that runs the app starts only after this.
            cast(dict[str, Any], self.scope["extensions"])[CONNECTION] = self
            self._go_on()
        else:
            self.conn.writes.clear()
            self._app.refuse_handshake(self, TOO_LONG.get(type(error), 400), f"live handshake: {error}")

    def _too_late(self) -> None:
        self._app.refuse_handshake(self, 408, f"no answer to the live handshake within {HANDSHAKE_TIMEOUT_S:g} s")

    def _end_handshake(self) -> None:
        if self._handshake_timer is not None:
            self._handshake_timer.cancel()
            self._handshake_timer = None
            HANDSHAKES.dec()

    @property
    def _app(self) -> LiveApp:
        return cast(LiveApp, self.config.app)

    # What the client sends

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._deaf:
            return
        if not self.handshake_initiated:
            self._take_handshake(data)
            return
        # Nothing is read while something is not parsed, but a transport may deliver what it had read already.
        self._unparsed = memoryview(bytes(self._unparsed) + data if self._unparsed else data)
        if self._turn is None and self._may_parse() and not self._allowance.wait_s(self.loop.time()):
            self._parse()
        else:
            self._go_on()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message for the session."""
        message = await self.queue.get()
        self._go_on()
        return message

    def _may_parse(self) -> bool:
        """Whether what the client sends is wanted; once closing, for its answer."""
        return self.close_sent or (
            self.handshake_complete and self.queue.empty() and self.writable.is_set() and not self._held
        )

    def _go_on(self) -> None:
        """Read, or give the parser a turn, or neither."""
        may = self._may_parse()
        if may and self._unparsed and self._turn is None:
            wait_s = self._allowance.wait_s(self.loop.time())
            self._turn = (
                self.loop.call_later(max(wait_s, 0.001), self._take_turn)
                if wait_s
                else self.loop.call_soon(self._take_turn)
            )
        pauses = not may or bool(self._unparsed)
        if pauses != self.read_paused and not self.transport.is_closing():
            self.read_paused = pauses
            if pauses:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _take_turn(self) -> None:
        self._turn = None
        if self._may_parse() and not self._allowance.wait_s(self.loop.time()):  # timers may come a little early
            self._parse()
        else:
            self._go_on()

    def _parse(self) -> None:
        """Parse a slice."""
        piece, rest = bytes(self._unparsed[:SLICE_BYTES]), self._unparsed[SLICE_BYTES:]
        self._unparsed = rest if rest else NOTHING  # else it would keep what was read for as long as the socket waits
        self.conn.receive_data(piece)
        for frame in self.conn.events_received():
            if not self._deaf:
                self._take(cast(Frame, frame))
        if self.conn.parser_exc is not None:
            self._fail()
        elif not self._deaf:
            answers = b"".join(self.conn.data_to_send())  # to pings
            if not self.close_sent:
                self._write(answers)
        self._go_on()

    def _take(self, frame: Frame) -> None:
        now_s = self.loop.time()
        within = self._allowance.take(now_s)
        if not self._flood.take(now_s):
            self.conn.fail(CloseCode.POLICY_VIOLATION, "too many frames")
            self._fail()
        elif frame.opcode is Opcode.PONG:
            self.handle_pong(frame)
        elif frame.opcode is Opcode.CLOSE:
            self.handle_close(frame)
        elif frame.opcode is not Opcode.PING:
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            self._message += frame.data
            if frame.fin:
                self._take_message(within)

    def _take_message(self, within: bool) -> None:
        data, self._message = self._message, bytearray()
        if self.close_sent:
            return
        if self._is_text and self.session is not None and self.queue.empty() and self.session.take(data, within):
            return
        message: dict[str, Any] = {"type": "websocket.receive", "within_allowance": within}
        try:
            message["text"] = data.decode() if self._is_text else None
        except UnicodeDecodeError:
            self.conn.fail(CloseCode.INVALID_DATA, "expected UTF-8")
            self._fail()
        else:
            self.queue.put_nowait(cast(ASGIReceiveEvent, message))

    # From the transport

    def pause_writing(self) -> None:
        """More than the buffer's limit is unsent."""
        super().pause_writing()
        if self.session is not None:
            self.session.pause()
        self._go_on()

    def resume_writing(self) -> None:
        """Most of it is sent."""
        super().resume_writing()
        if self.session is not None:
            self.session.resume()
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._leave()
        self._end_handshake()
        super().connection_lost(exc)
        if self._turn is not None:
            self._turn.cancel()
        self._deaf = True
        self._unparsed = NOTHING
        # What it leaves goes at once, not when the collector finds it: the parser and its exceptions hold what they belong to.
        self.conn.parser.close()
        for error in (self.conn.handshake_exc, self.conn.parser_exc):
            _forget_frames(error)

    # The end

    def close(self, code: int, reason: str) -> None:
        """Send a close frame behind what is unsent; whatever the client does, the socket is gone in CLOSE_TIMEOUT_S."""
        if self.close_sent or self.transport.is_closing():
            return
        self._leave()
        if self.conn.state is not OPEN:  # no 101 yet
            self.transport.abort()
            return
        self.stop_keepalive()
        self.conn.send_close(code, reason)
        self._write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._end_within(CLOSE_TIMEOUT_S)

    def handle_close(self, event: Frame) -> None:
        """The client closes."""
        self._leave()
        super().handle_close(event)
        self._abort_within(CLOSE_TIMEOUT_S)

    def shutdown(self) -> None:
        """The server stops."""
        self.close(CloseCode.SERVICE_RESTART, "")
        self.transport.close()
        self._abort_within(CLOSE_TIMEOUT_S)

    def keepalive_timeout(self) -> None:
        """No answer to a ping."""
        self.pong_timer = None
        self.close(CLOSE_SILENT, come_back(0))
        self.transport.abort()  # a client that does not answer pings does not read the close frame either

    def _fail(self) -> None:
        """The client sent what it must not: the library has written the close frame that says what."""
        self._deaf = True
        if self.close_sent:
            return  # more of what was broken
        self._leave()
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        self._write_last(b"".join(self.conn.data_to_send()))

    def _write(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def _write_last(self, data: bytes) -> None:
        self._deaf = True
        self._write(data)
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._end_within(LINGER_S)

    def _leave(self) -> None:
        if self.session is not None:
            session, self.session = self.session, None
            session.leave()

    def _end_within(self, seconds: float) -> None:
        self.close_sent = True
        self._abort_within(seconds)
        if self._deaf:
            self._unparsed = NOTHING
        self._go_on()

    def _abort_within(self, seconds: float) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)


def _forget_frames(error: BaseException | None) -> None:
    """The library keeps exceptions whose tracebacks hold what keeps them."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
