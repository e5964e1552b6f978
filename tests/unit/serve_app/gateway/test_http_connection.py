"""The bounds of a connection, and that answers arrive in order whatever follows the requests."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import socket
import struct
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from serve_app.gateway.http_connection import GatewayConnection
from serve_app.http.connection_bounds import LINGER_S, MAX_HEADERS, MAX_QUEUED
from tests.support.gateway import HANDSHAKE, WAIT_S, Gateway, running_gateway
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop


Waiting = Callable[[], Awaitable[None]]
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def score(gateway: Gateway, tournament: str, event: str = "a", *, query: str = "", more: str = "") -> bytes:
    body = json.dumps({"event_id": event, "score": 3}).encode()
    head = f"POST /v1/tournaments/{tournament}/scores{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Authorization: Bearer {gateway.token()}\r\n{more}\r\n".encode() + body


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


@asynccontextmanager
async def client(gateway: Gateway) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    try:
        async with asyncio.timeout(WAIT_S):
            yield reader, writer
    finally:
        writer.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0)


def connections(gateway: Gateway) -> list[GatewayConnection]:
    return list(gateway.server.http_connections())


def hold_appends(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Scores wait for the event before they are in the log."""
    appending, append = asyncio.Event(), gateway.palio.log.append

    async def held(*arguments: Any) -> list[int]:
        await appending.wait()
        return await append(*arguments)

    monkeypatch.setattr(gateway.palio.log, "append", lambda *call: asyncio.ensure_future(held(*call)))
    return appending


# What waits on a connection


async def test_at_most_32_requests_wait_then_the_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        appending = hold_appends(gateway, monkeypatch)
        async with client(gateway) as (reader, writer):
            writer.write(score(gateway, tournament) + HEALTH * 5000)
            await until(lambda: any(connection.refusal for connection in connections(gateway)))
            (connection,) = connections(gateway)
            assert len(connection.exchanges) == 1 + MAX_QUEUED
            appending.set()
            answers = await reader.read()
            assert statuses(answers) == [202] + [200] * MAX_QUEUED + [429]
            assert b"connection: close\r\n" in answers


async def test_nothing_waits_any_more_when_the_client_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        appending = hold_appends(gateway, monkeypatch)
        held = socket.create_connection(("127.0.0.1", gateway.server.port))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        held.sendall(score(gateway, tournament) + score(gateway, tournament, "b") * 10)
        await until(lambda: any(len(connection.exchanges) == 11 for connection in connections(gateway)))
        (connection,) = connections(gateway)
        assert gateway.server.app.unread_bodies.held_bytes > 0
        held.close()
        appending.set()
        await until(lambda: not connections(gateway))
        assert not connection.exchanges
        assert gateway.server.app.unread_bodies.held_bytes == 0


async def test_a_client_that_reads_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_gateway() as gateway:
        path = f"/v1/tournaments/{await gateway.tournament(players=1)}"
        async with client(gateway) as (_, writer):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await until(lambda: gateway.server.requests)
            (connection,) = connections(gateway)
            now_s, unsent = asyncio.get_running_loop().time(), [5000]

            class Stuck:  # what a transport looks like whose client takes nothing
                def __getattr__(self, name: str) -> Any:
                    return getattr(transport, name)

                def get_write_buffer_size(self) -> int:
                    return unsent[0]

            stuck: Any = Stuck()
            transport, connection.transport = connection.transport, stuck
            limit_s = gateway.server.app.config.request_timeout_s
            connection.expire(now_s)
            unsent[0] = 4000  # it reads a little: it has time again
            connection.expire(now_s + limit_s + 1)
            assert not transport.is_closing()
            connection.expire(now_s + 2 * limit_s)
            assert not transport.is_closing()
            connection.expire(now_s + 2 * limit_s + 2)
            assert transport.is_closing()


# Bodies


@pytest.mark.parametrize("path", ["/v1/tournaments/1/scores", "/v1/tournaments/1/scores?lane=asgi", "/v1/scores"])
async def test_an_announced_body_too_large_is_refused_at_once_and_the_answer_arrives(path: str) -> None:
    async with running_gateway() as gateway, client(gateway) as (reader, writer):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.token()}\r\n"
        writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 10000000\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")  # no 100 before it, and none of the body sent
        assert statuses(answer) == [413]
        assert b"connection: close" in answer
        for _ in range(100):  # a client that reads only once it has sent all
            writer.write(b"x" * 100_000)
            await writer.drain()
        assert json.loads(await reader.read())["code"] == "too_large"


async def test_what_a_refused_client_still_sends_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.http.connection_bounds.MAX_DROPPED_BYTES", 1_000_000)
    monkeypatch.setattr("serve_app.http.connection_bounds.LINGER_S", 1000)
    async with running_gateway() as gateway, client(gateway) as (_, writer):
        writer.write(b"nonsense\r\n\r\n")
        await until(lambda: any(connection.slow.ended_since_s for connection in connections(gateway)))
        writer.write(b"x" * 3_000_000)
        await until(lambda: not connections(gateway))


@pytest.mark.parametrize("path", ["/v1/tournaments/1/scores", "/v1/scores", "/v1/tournaments/1/participants/2"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_large_bodies_need_a_token_that_verifies(path: str, chunked: bool) -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:

        async def send(body: bytes, **headers: str) -> httpx2.Response:
            async def pieces() -> AsyncIterator[bytes]:
                for at in range(0, len(body), 10_000):
                    yield body[at : at + 10_000]

            method = "PUT" if "participants" in path else "POST"
            return await http.request(method, path, content=pieces() if chunked else body, headers=headers)

        large = b" " * (64 * 1024 + 1)
        answer = await send(large)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "without a token" in answer.json()["detail"]
        answer = await send(large, authorization="Bearer x.y.z")
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
        answer = await send(b" " * 64 * 1024)
        assert answer.status_code == 401
        answer = await send(large, authorization=f"Bearer {gateway.token(3, 'service')}")  # not seen here before
        assert answer.status_code in (400, 404, 422)  # it was read


@pytest.mark.parametrize("head", [b"Content-Length: 900000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n80000\r\n"])
async def test_a_token_that_does_not_verify_is_refused_before_the_rest_of_its_body(head: bytes) -> None:
    async with running_gateway() as gateway, client(gateway) as (reader, writer):
        writer.write(b"POST /v1/scores HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x.y.z\r\n" + head + b" " * 100_000)
        answer = await reader.read()
        assert statuses(answer) == [401]
        assert b'"code":"token_invalid"' in answer
        assert gateway.server.app.unread_bodies.held_bytes == 0


async def test_a_service_may_begin_with_a_large_batch() -> None:
    async with running_gateway() as gateway, client(gateway) as (reader, writer):
        tournament = await gateway.tournament(players=1)
        items = [
            {"event_id": f"{n}-" + "x" * 50, "user_id": "1", "score": 1, "tournament_id": tournament}
            for n in range(1000)
        ]
        body = json.dumps(items).encode()
        assert len(body) > 100_000
        head = f"POST /v1/scores HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.token(9, 'service')}\r\n"
        writer.write(f"{head}Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert statuses(await reader.readuntil(b"\r\n\r\n")) == [202]


async def test_bodies_of_all_connections_together_are_bounded() -> None:
    async with running_gateway(max_unread_body_bytes=100_000) as gateway:
        tournament = await gateway.tournament(players=1)
        head = "POST /v1/scores HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n"
        known = f"{head}Authorization: Bearer {gateway.token(9, 'service')}\r\n\r\n".encode()
        async with client(gateway) as (reader, writer):
            writer.write(known[:-4].replace(b"60000", b"00000") + b"\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            async with client(gateway) as (strangers_reader, stranger):
                writer.write(known + b" " * 45_000)
                bodies = gateway.server.app.unread_bodies
                await until(lambda: bodies.held_bytes == 45_000)
                stranger.write(f"{head}\r\n".encode() + b" " * 30_000)
                answer = await strangers_reader.read()
                assert statuses(answer) == [503]
                assert b"retry-after: " in answer
            async with client(gateway) as (more_reader, more):
                more.write(known + b" " * 30_000)  # a token that is known has all of it
                await until(lambda: bodies.held_bytes == 75_000)
                more.write(b" " * 29_000)
                assert statuses(await more_reader.read()) == [503]
            async with client(gateway) as (one_reader, one):
                one.write(score(gateway, tournament))  # what arrives whole waits for nothing
                assert statuses(await one_reader.readuntil(b"\r\n\r\n")) == [202]
            writer.write(b" " * 15_000)
            await reader.readuntil(b"\r\n\r\n")
            assert bodies.held_bytes == 0


# What follows a request


@pytest.mark.parametrize("query", ["", "?lane=asgi"])
@pytest.mark.parametrize(
    ("follows", "refused"),
    [
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"\x16\x03\x01 hello\r\n\r\n", 400),
        (b"POST /v1/scores HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /v1/scores HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 2 * MAX_HEADERS, 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"a%d: b\r\n" % n for n in range(2 * MAX_HEADERS)), 431),
        (b"GET /v1/tournaments/1 HTTP/1.1\r\nAuthorization: a\r\nauthorization: b\r\n\r\n", 400),
        (HANDSHAKE, 400),
        (b"GET /healthz HTTP/1.1\r\n", 0),
        (b"", 0),
    ],
)
async def test_an_accepted_score_is_answered_202_whatever_follows(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, query: str, follows: bytes, refused: int
) -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        appending = hold_appends(gateway, monkeypatch)
        async with client(gateway) as (reader, writer):
            writer.write(score(gateway, tournament, query=query) + follows)
            writer.write_eof()
            await until(lambda: any(c.exchanges and c.exchanges[0].started for c in connections(gateway)))
            appending.set()
            answers = await reader.read()
            assert statuses(answers) == ([202, refused] if refused else [202])
            assert not caplog.records


async def test_what_follows_a_last_request_is_dropped() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        async with client(gateway) as (reader, writer):
            writer.write(score(gateway, tournament, more="Connection: close\r\n"))
            answer = await reader.readuntil(b"}")
            for _ in range(20):  # no reset overtakes the answer
                writer.write(score(gateway, tournament, "b") * 50)
                await writer.drain()
            answer += await reader.read()
            assert statuses(answer) == [202]
            (connection,) = connections(gateway)
            connection.expire(asyncio.get_running_loop().time() + LINGER_S + 1)
            await until(lambda: not connections(gateway))


async def test_an_upgrade_that_is_not_offered_is_answered_and_ends_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running_gateway() as gateway, client(gateway) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + HEALTH)
        answer = await reader.read()
        assert statuses(answer) == [200]
        assert b"connection: close" in answer
        assert not caplog.records


# Who calls


@pytest.mark.parametrize("query", ["", "?lane=asgi"])
async def test_trailers_do_not_authenticate(query: str) -> None:
    async with running_gateway() as gateway, client(gateway) as (reader, writer):
        tournament = await gateway.tournament(players=1)
        body = b'{"event_id":"a","score":1}'
        head = (
            f"POST /v1/tournaments/{tournament}/scores{query} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        trailer = f"Authorization: Bearer {gateway.token()}\r\n\r\n"
        writer.write(head.encode() + b"%x\r\n%b\r\n0\r\n" % (len(body), body) + trailer.encode())
        assert statuses(await reader.readuntil(b"\r\n\r\n")) == [401]


@pytest.mark.parametrize("path", ["/v1/tournaments/{}", "/v1/tournaments/{}?lane=asgi", "/v1/live"])
async def test_two_authorization_headers_are_400(path: str) -> None:
    async with running_gateway() as gateway, client(gateway) as (reader, writer):
        token = gateway.token()
        head = f"GET {path.format(await gateway.tournament(players=1))} HTTP/1.1\r\nHost: x\r\n"
        if "live" in path:
            head = HANDSHAKE[:-2].decode()
        writer.write(f"{head}Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        answer = await reader.read()
        assert statuses(answer) == [400]
        assert b'"code":"malformed"' in answer


# What a connection leaves


ENDS = {
    "answered": HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    "by the app": b"GET /v1/tournaments/77?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "refused": b"?\r\n\r\n",
    "too large": b"POST /v1/scores HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
    "reset": HEALTH,
    "reset within a body": b"POST /v1/scores HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
    "reset within a head": b"GET / HT",
}


@pytest.mark.parametrize("ends", ENDS)
async def test_a_closed_connection_leaves_no_cycle(monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    made: list[weakref.ref[Any]] = []
    connection_made = GatewayConnection.connection_made

    def remember(self: GatewayConnection, transport: Any) -> None:
        made.append(weakref.ref(self))
        connection_made(self, transport)

    monkeypatch.setattr(GatewayConnection, "connection_made", remember)
    async with running_gateway() as gateway:
        gc.collect()
        gc.disable()
        try:
            async with client(gateway) as (reader, writer):
                writer.write(ENDS[ends])
                if ends.startswith("reset"):
                    await until(lambda: made)
                    await asyncio.sleep(0.05)
                    writer.transport.abort()
                else:
                    await reader.read()
            await until(lambda: all(each() is None for each in made))
        finally:
            gc.enable()
    assert len(made) == 1


# What is logged


async def test_clients_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with running_gateway() as gateway:
        for _ in range(20):
            for wrong in (
                b"no http at all\r\n\r\n",
                b"GET / HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade, close\r\n\r\n",
            ):
                async with client(gateway) as (reader, writer):
                    writer.write(wrong)
                    await reader.read()
        logger = logging.getLogger("websockets.server")
        for _ in range(20):
            logger.error("opening handshake failed", exc_info=ValueError("what a stranger sent"))
        lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(lines) <= 5
        assert all(record.exc_info is None for record in lines)
        assert "what a stranger sent" in lines[0].getMessage()
