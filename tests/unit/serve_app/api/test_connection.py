"""The api's connections: a real server on loopback, with an app that stands where the api does."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import re
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from serve_app.api.connection import ApiConnection, ApiLimits
from serve_app.api.edge import ApiEdge
from serve_app.http.connection_bounds import MAX_HEAD_BYTES, MAX_HEADERS, MAX_QUEUED
from serve_app.http.cors import Cors
from serve_app.metrics import REJECTED

WAIT_S = 20.0  # for what must come; tests fail by it, never pass by it
LARGE_BYTES = 16 * 1024 * 1024  # more than a kernel keeps of a connection
OURS = (b"x-content-type-options", b"nosniff")


class Upstream:
    """Answers like the api; `release` lets held answers go."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.begun: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["path"])
        if scope["path"] == "/held":
            await self.release.wait()
        body, more = b"", scope["path"] != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = b"x" * LARGE_BYTES if scope["path"] == "/large" else b"%d" % len(body)
        headers = [OURS, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class Api:
    def __init__(self, upstream: Upstream, server: uvicorn.Server, port: int, limits: ApiLimits) -> None:
        self.upstream = upstream
        self.server = server
        self.port = port
        self.limits = limits

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, data: bytes) -> bytes:
        """All that is answered to these bytes until the connection ends."""
        reader, writer = await self.open()
        async with asyncio.timeout(WAIT_S):
            writer.write(data)
            answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def running(**limits: Any) -> AsyncIterator[Api]:
    upstream, of_the_api = Upstream(), ApiLimits(**limits)
    protocol: Any = functools.partial(ApiConnection, limits=of_the_api)
    config = uvicorn.Config(
        ApiEdge(upstream, Cors("127.0.0.1", (8000, 8001)), 30),
        port=0,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield Api(upstream, server, server.servers[0].sockets[0].getsockname()[1], of_the_api)
    upstream.release.set()
    server.should_exit = True
    await serving


def problem_of(answer: bytes) -> tuple[int, str]:
    """(status, code) of the only, whole problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1, answer
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)["code"]


def request(path: str = "/", body: bytes = b"", *headers: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1".encode(), b"Host: a", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * (MAX_HEAD_BYTES + 1),
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (MAX_HEAD_BYTES + 1),
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * (MAX_HEADERS + 2),
    ],
)
async def test_a_head_has_a_size(head: bytes) -> None:
    async with running() as api:
        assert problem_of(await api.ask(head)) == (431, "too_large")
        assert api.upstream.begun == []


async def test_no_http() -> None:
    async with running() as api:
        assert problem_of(await api.ask(b"nonsense\r\n\r\n")) == (400, "malformed")
        assert problem_of(await api.ask(b"GET \xff HTTP/1.1\r\n\r\n")) == (400, "malformed")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_a_size_and_the_answer_is_readable(chunked: bool) -> None:
    async with running(max_body_bytes=1000) as api:
        piece = b"x" * 100_000
        if chunked:
            data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            data += b"%x\r\n%b\r\n" % (len(piece), piece) * 100
        else:
            data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + piece * 100
        assert problem_of(await api.ask(data)) == (413, "too_large")


async def test_an_announced_body_too_large_is_refused_before_it_comes() -> None:
    async with running(max_body_bytes=1000) as api:
        answer = await api.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
        assert problem_of(answer) == (413, "too_large")
        assert api.upstream.begun == []


async def test_a_body_within_the_limit_passes_and_is_forgotten() -> None:
    async with running(max_body_bytes=1000) as api:
        data = request("/", b"x" * 1000) + request("/", b"", b"Connection: close")
        answer = await api.ask(data)
        assert answer.count(b"HTTP/1.1 200") == 2
        assert b"\r\n\r\n1000HTTP" in answer
        assert api.limits.bodies.held_bytes == 0


async def test_bodies_of_all_connections_have_a_total() -> None:
    async with running(max_unread_body_bytes=5000) as api:
        _, writer = await api.open()
        writer.write(request("/held", b"x" * 4000))
        while not api.limits.bodies.held_bytes:
            await asyncio.sleep(0.01)
        assert problem_of(await api.ask(request("/held", b"x" * 4000))) == (503, "unavailable")
        writer.close()
        while api.limits.bodies.held_bytes:
            await asyncio.sleep(0.01)
        assert (await api.ask(request("/", b"x" * 4000, b"Connection: close"))).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "begin", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n", request("/", b"xy")[:-1]]
)
async def test_a_request_arrives_in_time(begin: bytes) -> None:
    async with running(request_timeout_s=0.3) as api:
        assert problem_of(await api.ask(begin)) == (408, "request_timeout")


async def test_an_idle_connection_that_sends_only_line_ends_is_ended() -> None:
    async with running(request_timeout_s=0.3) as api:
        reader, writer = await api.open()
        writer.write(request())
        async with asyncio.timeout(WAIT_S):
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
            writer.write(b"\r\n")
            assert problem_of(await reader.read()) == (408, "request_timeout")
        writer.close()


async def test_connections_have_a_number() -> None:
    async with running(max_api_connections=1) as api:
        _, writer = await api.open()
        while not api.server.server_state.connections:
            await asyncio.sleep(0.01)
        assert problem_of(await api.ask(b"")) == (503, "unavailable")
        writer.close()


async def test_what_waits_on_a_connection_has_a_number_and_what_is_answered_is_in_order() -> None:
    async with running() as api:
        reader, writer = await api.open()
        writer.write(request("/held"))
        while not api.upstream.begun:
            await asyncio.sleep(0.01)
        writer.write(request() * (MAX_QUEUED + 5))
        connection: Any
        [connection] = api.server.server_state.connections
        while not connection.refused:
            await asyncio.sleep(0.01)
        assert not connection.pipeline
        api.upstream.release.set()
        async with asyncio.timeout(WAIT_S):
            answer = await reader.read()
        assert answer.count(b"HTTP/1.1 200") == 1
        writer.close()


async def test_a_few_pipelined_requests_are_all_answered() -> None:
    async with running() as api:
        data = b"".join(request("/", b"x" * number) for number in range(MAX_QUEUED - 1))
        answer = await api.ask(data + request("/", b"", b"Connection: close"))
        assert answer.count(b"HTTP/1.1 200") == MAX_QUEUED


async def test_an_answer_is_sent_whatever_follows_its_request() -> None:
    async with running() as api:
        reader, writer = await api.open()
        writer.write(request("/held") + b"nonsense\r\n\r\n")
        while not api.upstream.begun:
            await asyncio.sleep(0.01)
        connection: Any
        [connection] = api.server.server_state.connections
        while not connection.refused:
            await asyncio.sleep(0.01)
        api.upstream.release.set()
        async with asyncio.timeout(WAIT_S):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(b"HTTP/1.1 ") == 1
        writer.close()


async def test_an_answer_before_the_body_is_whole_can_be_read_by_who_sends_it_first() -> None:
    async with running() as api:
        answer = await api.ask(request("/early", b"x" * 1_000_000, b"Connection: close"))
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(b"HTTP/1.1 ") == 1


async def test_who_is_gone_is_answered_nothing() -> None:
    async with running() as api:
        before = REJECTED.labels("api", "unavailable")._value.get()
        _, writer = await api.open()
        writer.write(request("/", b"x" * 1000)[:-500])
        while not api.upstream.begun:
            await asyncio.sleep(0.01)
        writer.close()
        while api.server.server_state.tasks:
            await asyncio.sleep(0.01)
        assert REJECTED.labels("api", "unavailable")._value.get() == before


async def test_an_answer_does_not_wait_for_the_body() -> None:
    async with running() as api:
        reader, writer = await api.open()
        writer.write(request("/early", b"x" * 1000)[:-500])
        async with asyncio.timeout(WAIT_S):
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
            writer.write(b"x" * 500 + request("/", b"yz"))  # the connection goes on
            assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200")
        writer.close()


async def send_without_end(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            writer.write(b"x" * 100_000)
            await writer.drain()


async def test_what_a_refused_client_still_sends_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.http.connection_bounds.MAX_DROPPED_BYTES", 1_000_000)
    async with running(max_body_bytes=1000) as api:
        _, writer = await api.open()
        writer.write(request("/", b"x" * 2000))
        with pytest.raises(ConnectionError):
            await send_without_end(writer)
        writer.close()


async def test_a_body_that_is_not_wanted_any_more_brings_no_second_answer() -> None:
    async with running(max_body_bytes=1000) as api:
        reader, writer = await api.open()
        head = b"POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head)
        async with asyncio.timeout(WAIT_S):
            answer = await reader.readuntil(b"\r\n\r\n0")
            writer.write(b"7d0\r\n" + b"x" * 2000 + b"\r\n")
            rest = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert rest == b""
        writer.close()


async def test_an_upgrade_is_taken_as_a_plain_request() -> None:
    async with running() as api:
        answer = await api.ask(request("/", b"", b"Connection: Upgrade", b"Upgrade: websocket"))
        assert answer.startswith(b"HTTP/1.1 200")


async def test_an_answer_that_nobody_reads_ends_its_connection() -> None:
    async with running(request_timeout_s=0.5) as api:
        reader, writer = await api.open()
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(WAIT_S):
            while not api.server.server_state.connections:
                await asyncio.sleep(0.01)
            while api.server.server_state.connections:
                await asyncio.sleep(0.01)
        writer.transport.abort()


async def test_one_that_is_read_slowly_is_sent_whole() -> None:
    async with running(request_timeout_s=0.5) as api:
        reader, writer = await api.open()
        writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        read = 0
        async with asyncio.timeout(WAIT_S):
            while data := await reader.read(1024 * 1024):
                read += len(data)
                await asyncio.sleep(0.05)
        assert read > LARGE_BYTES
        writer.close()


@pytest.mark.parametrize("ends", ["answered", "refused", "gone", "gone while held", "ended by the client"])
async def test_a_closed_connection_leaves_no_cycle(ends: str) -> None:
    made: list[weakref.ref[Any]] = []
    connection_made = ApiConnection.connection_made

    def remember(self: ApiConnection, transport: Any) -> None:
        made.append(weakref.ref(self))
        connection_made(self, transport)

    async with running() as api:
        gc.collect()
        gc.disable()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ApiConnection, "connection_made", remember)
                await converse(api, ends)
            async with asyncio.timeout(WAIT_S):
                while any(each() is not None for each in made):
                    await asyncio.sleep(0.01)
        finally:
            gc.enable()
    assert len(made) == 1


async def converse(api: Api, ends: str) -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    if ends in ("answered", "refused"):
        await api.ask(
            request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") if ends == "answered" else b"?\r\n\r\n"
        )
        return
    reader, writer = await api.open()
    writer.write(request.replace(b"/ ", b"/held ") if ends == "gone while held" else request)
    if ends == "gone while held":
        while not api.upstream.begun:
            await asyncio.sleep(0.01)
        writer.transport.abort()
        api.upstream.release.set()
        return
    await reader.readuntil(b"\r\n\r\n")
    if ends == "gone":
        writer.transport.abort()
    else:
        writer.write_eof()
        await reader.read()
        writer.close()
