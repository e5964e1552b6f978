"""A server of a replica's own: its port, and how its end is told."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serve_app.http.server import OwnServer, PortInUseError, uvicorn_config


async def hello(scope: Any, receive: Any, send: Any) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


async def running(port: int = 0) -> OwnServer:
    server = OwnServer(uvicorn_config(hello, HttpToolsProtocol), "127.0.0.1", port, 10)
    await server.started()
    return server


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_port_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=str(port)):
            await running(port)


async def test_replicas_share_the_port_and_one_leaves() -> None:
    first = await running()
    second = await running(first.port)
    assert second.port == first.port
    await second.stop_listening()
    for _ in range(20):
        assert (await ask(first.port)).startswith(b"HTTP/1.1 200 ")
    assert first.requests == 20
    await second.stop()
    await first.stop()


async def test_its_end_is_noticed() -> None:
    server = await running()
    server.check()
    await server.stop()
    with pytest.raises(RuntimeError, match="has ended"):
        server.check()
    with pytest.raises(ConnectionRefusedError):
        await ask(server.port)
    await server.stop()
