"""Frames as a live client sends and reads them, and a live connection over a transport in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from uvicorn import Config
from uvicorn.server import ServerState

from serve_app.gateway.server import uvicorn_config
from serve_app.live.connection import LiveConnection
from tests.support.gateway import HANDSHAKE, opened_app
from tests.support.memory_transport import MemoryTransport


def client_frame(opcode: int, payload: bytes, *, fin: bool = True, mask: bytes = bytes(4)) -> bytes:
    """A frame as clients send it: masked."""
    size = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += bytes([0x80 | 126]) + size.to_bytes(2)
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


async def read_frames(reader: asyncio.StreamReader) -> list[tuple[int, bytes]]:
    """(opcode, payload) of all frames up to a close frame or the end."""
    frames: list[tuple[int, bytes]] = []
    while not frames or frames[-1][0] != 8:
        try:
            first, size = await reader.readexactly(2)
        except asyncio.IncompleteReadError:
            break
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2))
        frames.append((first & 15, await reader.readexactly(size)))
    return frames


class LiveWire:
    """One live connection as the gateway has it, its handshake sent."""

    def __init__(self, config: Config) -> None:
        self.state = ServerState()
        self.connection = LiveConnection(config, self.state, {})
        self.transport = MemoryTransport(asyncio.get_running_loop(), self.connection)
        self.connection.data_received(HANDSHAKE)

    def taken(self) -> bytes:
        """What the client has got since the last call."""
        taken = bytes(self.transport.received)
        self.transport.received.clear()
        return taken

    async def settle(self) -> None:
        """Let what is ready to run do so."""
        for _ in range(20):
            await asyncio.sleep(0)

    @classmethod
    @asynccontextmanager
    async def open(cls, *, accepts: bool = True) -> AsyncIterator[LiveWire]:
        """With its 101 taken; unless `accepts`, the app never gets to answer."""
        async with opened_app() as (_, app):
            config = uvicorn_config(app)
            config.load()
            wire = cls(config)
            if accepts:
                await wire.settle()
                assert wire.taken().startswith(b"HTTP/1.1 101 ")
            else:
                for task in wire.state.tasks:
                    task.cancel()
            try:
                yield wire
            finally:
                wire.transport.reset()
                await wire.settle()
