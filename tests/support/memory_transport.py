"""A transport in memory whose client reads and sends as a test says: the bounds of a protocol class, without a kernel in between."""

from __future__ import annotations

import asyncio
from typing import Any

CLIENT = ("192.0.2.1", 4711)


class MemoryTransport(asyncio.Transport):
    """What is written waits until the client takes it; beyond the limits the protocol is paused, as asyncio has it."""

    def __init__(self, protocol: Any) -> None:
        super().__init__({"peername": CLIENT, "sockname": ("192.0.2.2", 8001)})
        self._protocol = protocol
        self._high = 64 * 1024
        self._low = 16 * 1024
        self._writing_paused = False
        self._closing = False
        self.unsent = bytearray()
        self.most_unsent = 0
        self.eof = False
        self.lost = False
        self.reading_paused = False

    # The protocol's side

    def write(self, data: Any) -> None:
        if self._closing or self.eof:
            raise RuntimeError("the transport is closed")  # as uvloop does
        self.unsent += data
        self.most_unsent = max(self.most_unsent, len(self.unsent))
        if len(self.unsent) > self._high and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._end_when_sent()

    def abort(self) -> None:
        self._closing = True
        self.unsent.clear()
        self._end_when_sent()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading_paused = True

    def resume_reading(self) -> None:
        self.reading_paused = False

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        assert low is not None
        self._high, self._low = high, low

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    # The client's side

    def client_sends(self, data: bytes) -> None:
        """Bytes arrive, whether or not reading is paused: some may have been read before it was."""
        if not (self._closing or self.lost):
            self._protocol.data_received(data)

    def client_takes(self, most: int | None = None) -> bytes:
        """The next bytes of what was written."""
        taken = bytes(self.unsent[:most])
        del self.unsent[: len(taken)]
        if self._writing_paused and len(self.unsent) <= self._low:
            self._writing_paused = False
            if not self.lost:
                self._protocol.resume_writing()
        self._end_when_sent()
        return taken

    def client_goes(self, error: Exception | None = None) -> None:
        """The connection breaks, or the client closes it."""
        self._closing = True
        self.unsent.clear()
        self._end(error)

    def _end_when_sent(self) -> None:
        if self._closing and not self.unsent:
            asyncio.get_running_loop().call_soon(self._end, None)

    def _end(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self._protocol.connection_lost(error)
            self._protocol = None
