"""A transport without a socket, for a protocol under test: whoever holds it is the client. It is as strict as uvloop's."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

HIGH_WATER_BYTES = 64 * 1024
READ_BYTES = 256 * 1024  # the most that uvloop hands over at once


class MemoryTransport(asyncio.Transport):
    """The client sends with `send`, `end` and `reset`; it takes what is written while `reads` is set, into `received`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any) -> None:
        super().__init__()
        self._loop = loop
        self._protocol: Any = protocol
        self._inbox: deque[bytes] = deque()  # sent by the client, not read yet
        self._unsent = bytearray()
        self._high, self._low = HIGH_WATER_BYTES, HIGH_WATER_BYTES // 4
        self._read_paused = self._write_paused = self._closing = self._heard_eof = False
        self.wrote_eof = False
        self.received = bytearray()
        self.reads = True
        self.lost = False
        self.most_unsent_bytes = 0
        protocol.connection_made(self)

    # The client

    def send(self, data: bytes) -> None:
        """Send bytes; they wait while the server reads nothing."""
        for at in range(0, len(data), READ_BYTES):
            self._inbox.append(data[at : at + READ_BYTES])
        self._deliver()

    def end(self) -> None:
        """Send no more."""
        self._inbox.append(b"")
        self._deliver()

    def reset(self) -> None:
        """Be gone."""
        if not self._closing:
            self._lose(ConnectionResetError("reset"))

    def read(self) -> None:
        """Take what was written."""
        self.received += self._unsent
        self._unsent.clear()
        if self._write_paused:
            self._write_paused = False
            self._protocol.resume_writing()
        if self._closing and not self.lost:
            self._lose(None)

    def _deliver(self) -> None:
        while self._inbox and not (self._read_paused or self._closing or self._heard_eof):
            data = self._inbox.popleft()
            if data:
                self._protocol.data_received(data)
            else:
                self._heard_eof = True
                if not self._protocol.eof_received():
                    self.close()

    def _lose(self, error: Exception | None) -> None:
        self._closing = True
        self._loop.call_soon(self._tell_lost, error)

    def _tell_lost(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            protocol, self._protocol = self._protocol, None
            protocol.connection_lost(error)

    # The server

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._read_paused = True

    def resume_reading(self) -> None:
        self._read_paused = False
        self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return not (self._read_paused or self._closing)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH_WATER_BYTES if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or self.wrote_eof:
            raise RuntimeError("written to a transport that is closing")
        self._unsent += data
        if self.reads:
            self.read()
        self.most_unsent_bytes = max(self.most_unsent_bytes, len(self._unsent))
        if len(self._unsent) > self._high and not self._write_paused:
            self._write_paused = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.wrote_eof = True

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._unsent:
                self._lose(None)

    def abort(self) -> None:
        self._unsent.clear()
        if not self.lost:
            self._lose(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 40_000), "sockname": ("127.0.0.1", 8001)}.get(name, default)


class Faults(logging.Handler):
    """Collects what must not happen: exceptions that reach the loop, and lines of errors."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []
        loop.set_exception_handler(lambda _, context: self.seen.append(repr(context)))
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())

    def close(self) -> None:
        logging.getLogger().removeHandler(self)
        super().close()
