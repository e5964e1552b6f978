"""The client's side of a live socket, as cheap as can be: a handshake, messages in one piece, frames cut out of what arrives."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

HANDSHAKE: Final = (
    b"GET /v1/live HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: palio.v1\r\n\r\n"
)
TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA


def client_frame(kind: int, payload: bytes) -> bytes:
    """A frame of less than 64 KiB, masked with zeros."""
    size = len(payload)
    if size < 126:
        return bytes([0x80 | kind, 0x80 | size, 0, 0, 0, 0]) + payload
    return bytes([0x80 | kind, 0x80 | 126]) + size.to_bytes(2) + bytes(4) + payload


def subscription(tournament: str, since: tuple[int, int] | None = None) -> bytes:
    """The message that subscribes, from this (epoch, seq) on if given."""
    message: dict[str, Any] = {"id": 1, "subscribe": tournament}
    if since is not None:
        message["since"] = {"epoch": since[0], "seq": since[1]}
    return json.dumps(message).encode()


class LiveSocket(asyncio.Protocol):
    """See the module. Subclasses say what is done about what comes."""

    handshake = HANDSHAKE
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = b""
        self.open = False

    def on_open(self) -> None:
        """The handshake is done."""

    def on_refused(self, answer: str) -> None:
        """It was refused with this status line; the socket is gone."""

    def on_frame(self, kind: int, payload: bytes) -> None:
        """A whole frame has come."""

    def send(self, kind: int, payload: bytes) -> None:
        """Send one frame."""
        self.transport.write(client_frame(kind, payload))

    def connection_made(self, transport: Any) -> None:
        """Shake hands."""
        self.transport = transport
        transport.write(self.handshake)

    def data_received(self, data: bytes) -> None:
        """The handshake's answer, then frames."""
        buffer = self._buffer + data if self._buffer else data
        if not self.open:
            head, found, rest = buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = buffer
                return
            line = head.split(b"\r\n", 1)[0]
            if b" 101 " not in line:
                self.on_refused(line.decode())
                self.transport.abort()
                return
            self.open, buffer = True, rest
            self.on_open()
        at = 0
        while len(buffer) - at >= 2:
            size, begin = buffer[at + 1], at + 2
            if size >= 126:
                begin += 2 if size == 126 else 8
                size = int.from_bytes(buffer[at + 2 : begin], "big")
            if len(buffer) < begin + size:
                break
            self.on_frame(buffer[at] & 0x0F, buffer[begin : begin + size])
            at = begin + size
        self._buffer = buffer[at:]


class Subscriber(LiveSocket):
    """Subscribes to a tournament: `watching` is done once it has its snapshot, and fails if it never gets one."""

    def __init__(self, tournament: str) -> None:
        super().__init__()
        self.watching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tournament = tournament

    def on_update(self, payload: bytes) -> None:
        """A frame has come after the snapshot."""

    def on_open(self) -> None:
        """Subscribe."""
        self.send(TEXT, subscription(self._tournament))

    def on_refused(self, answer: str) -> None:
        """Whoever waits for the snapshot hears of it."""
        self.watching.set_exception(RuntimeError(f"expected 101, got {answer}"))

    def on_frame(self, kind: int, payload: bytes) -> None:  # noqa: ARG002 - all that matter are texts
        """The subscription's answer, the snapshot, then updates."""
        if self.watching.done():
            self.on_update(payload)
        elif b'"type":"snapshot"' in payload:
            self.watching.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if not self.watching.done():
            self.watching.set_exception(RuntimeError(f"the server closed the socket before the snapshot: {exc}"))
