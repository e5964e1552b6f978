"""A cheap live socket for load: raw WebSocket frames over asyncio (RFC 6455), one subscription, and whole text frames handed on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from scripts.load_http import HOST

_HANDSHAKE: Final = (
    b"GET /v1/live HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_END_OF_HEAD: Final = b"\r\n\r\n"
_TEXT: Final = 0x1
_PING: Final = 0x9
_PONG: Final = 0xA


class LiveSocket(asyncio.Protocol):
    """One socket on one tournament. `on_frame(payload)` is called for each text frame; `ready` is set by the first snapshot.

    A connection that the server ends sets an error on `ready`, or counts in `lost`.
    """

    def __init__(self, tournament: str, on_frame: Callable[[bytes], None]) -> None:
        self._subscribe = json.dumps({"id": 1, "subscribe": tournament}).encode()
        self._on_frame = on_frame
        self._buffer = b""
        self._open = False
        self._transport: asyncio.Transport
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.frames = 0
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        """Connected: shake hands."""
        self._transport = transport
        transport.write(_HANDSHAKE)

    def connection_lost(self, error: Exception | None) -> None:
        """The end."""
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionError("the server ended the socket"))

    def data_received(self, data: bytes) -> None:
        """Bytes arrived: take whole frames off them."""
        buffer = self._buffer + data if self._buffer else data
        at = 0
        if not self._open:
            end = buffer.find(_END_OF_HEAD)
            if end < 0:
                self._buffer = buffer
                return
            if not buffer.startswith(b"HTTP/1.1 101 "):
                raise RuntimeError(f"expected 101, got {buffer[:200]!r}")
            self._open, at = True, end + len(_END_OF_HEAD)
            self._send(_TEXT, self._subscribe)
        size = len(buffer)
        while size - at >= 2:
            length, start = buffer[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(buffer[at + 2 : at + 4]), at + 4
            elif length == 127:
                length, start = int.from_bytes(buffer[at + 2 : at + 10]), at + 10
            if size < start + length:
                break
            self._take(buffer[at] & 0xF, buffer[start : start + length])
            at = start + length
        self._buffer = buffer[at:]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT:
            self.frames += 1
            if not self.ready.done() and b'"snapshot"' in payload:
                self.ready.set_result(None)
            self._on_frame(payload)
        elif opcode == _PING:
            self._send(_PONG, payload)

    def _send(self, opcode: int, payload: bytes) -> None:
        """A short frame; its mask is 0, so the payload stands as it is."""
        self._transport.write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    def close(self) -> None:
        """End it."""
        self._transport.abort()


async def watch(port: int, tournament: str, on_frame: Callable[[bytes], None]) -> LiveSocket:
    """A socket that has its first snapshot."""
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(lambda: LiveSocket(tournament, on_frame), HOST, port)
    async with asyncio.timeout(30):
        await socket.ready
    return socket
