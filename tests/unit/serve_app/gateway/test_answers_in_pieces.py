"""Answers that come in pieces: as fast as their reader reads, whole or cut off so that the client sees it, and ended with their connection."""

from __future__ import annotations

import asyncio
import csv
import io
import socket
from collections.abc import AsyncGenerator

import httpx2
import pytest

from serve_app.http.messages import Request, Response
from tests.support.gateway import WAIT_S, Gateway, running_gateway
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop

PIECE = b"x" * 65_536


class Pieces:
    """In the place of the exports: as many pieces as are `wanted`; `made` tells how many were asked for, `closed` whether it was let go."""

    def __init__(self, gateway: Gateway, wanted: int, *, breaks: bool = False, length: int | None = None) -> None:
        self.made = 0
        self.closed = asyncio.Event()
        self._wanted, self._breaks, self._length = wanted, breaks, length
        gateway.server.app.handlers.table["export"] = self._answer

    async def _answer(self, _request: Request) -> Response:
        headers = {} if self._length is None else {"content-length": str(self._length)}
        return Response(200, headers=headers, content_type="text/csv", stream=self._pieces())

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b""  # which would end an answer in chunks
            for _ in range(self._wanted):
                self.made += 1
                yield PIECE
            if self._breaks:
                raise OSError("the store went away")
        finally:
            self.closed.set()


PATH = "/v1/tournaments/1/export"


def request_of(more: str = "", version: str = "1.1") -> bytes:
    return f"GET {PATH} HTTP/{version}\r\nHost: x\r\n{more}\r\n".encode()


async def test_exports_and_what_follows_them_on_a_connection() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        tournament = await gateway.tournament(players=2)
        body = {"event_id": "a", "user_id": "1", "score": 10.5}
        await gateway.call("submit_score", body=body, tournament=tournament)
        for _ in range(2):  # the connection goes on
            answer = await http.get(f"/v1/tournaments/{tournament}/export?format=csv", headers={"origin": "http://x"})
            assert answer.headers["transfer-encoding"] == "chunked"
            assert answer.headers["access-control-allow-origin"]
            rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
            assert [(row["rank"], row["user_id"], row["score"]) for row in rows] == [("1", "1", "10.50")]
        head = await http.head(f"/v1/tournaments/{tournament}/export")
        assert (head.status_code, head.content) == (200, b"")
        assert (await http.get(f"/v1/tournaments/{tournament}/archive")).status_code == 401
        assert (await http.get(f"/v1/tournaments/{tournament}/export?format=x")).status_code == 422


@pytest.mark.parametrize(
    ("more", "version", "length", "ending"),
    [
        ("", "1.1", None, b"0\r\n\r\n"),
        ("", "1.1", 2 * len(PIECE), PIECE),
        ("Connection: close\r\n", "1.1", None, PIECE),
        ("", "1.0", None, PIECE),
    ],
)
async def test_how_the_end_is_told(more: str, version: str, length: int | None, ending: bytes) -> None:
    async with running_gateway() as gateway:
        pieces = Pieces(gateway, 2, length=length)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
        writer.write(request_of(more, version))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
        assert (b"transfer-encoding: chunked" in head) is (ending == b"0\r\n\r\n")
        assert head.lower().count(b"content-length") == (length is not None)
        if version == "1.1" and not more:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        rest = await asyncio.wait_for(reader.read(), WAIT_S)
        if version == "1.1" and not more:
            rest, _, after = rest.partition(b"HTTP/1.1 200 OK")
            assert after
        assert rest.endswith(ending)
        assert rest.count(PIECE) == 2
        assert pieces.closed.is_set()
        writer.close()


async def test_no_more_is_made_than_is_read_and_who_leaves_ends_it() -> None:
    async with running_gateway() as gateway:
        pieces = Pieces(gateway, 100_000)
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", gateway.server.port))
        await loop.sock_sendall(raw, request_of())
        async with asyncio.timeout(WAIT_S):
            seen = -1
            while pieces.made != seen or not pieces.made:
                seen = pieces.made
                await asyncio.sleep(0.1)
            assert 0 < seen < 1000  # what fits into the kernel's buffers and the transport's
            raw.close()
            await pieces.closed.wait()


async def test_one_that_does_not_read_is_dropped_and_one_that_reads_has_time() -> None:
    async with running_gateway(request_timeout_s=5.0) as gateway:
        pieces = Pieces(gateway, 100_000)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port, limit=4096)
        writer.write(request_of())
        async with asyncio.timeout(WAIT_S):
            await reader.readuntil(b"\r\n\r\n")
            (connection,) = gateway.server.http_connections()
            for step in range(1, 5):
                connection.expire(asyncio.get_running_loop().time() + 0.1)
                before = pieces.made
                while pieces.made == before:
                    await reader.read(1 << 16)
                assert not pieces.closed.is_set(), step
            connection.expire(asyncio.get_running_loop().time() + 60)
            connection.expire(asyncio.get_running_loop().time() + 120)
            await pieces.closed.wait()
            with pytest.raises(ConnectionError):
                await reader.read()
        writer.close()


@pytest.mark.parametrize("more", ["", "Connection: close\r\n"])
async def test_one_that_breaks_off_is_not_taken_for_whole(more: str, caplog: pytest.LogCaptureFixture) -> None:
    async with running_gateway() as gateway:
        Pieces(gateway, 3, breaks=True)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
        writer.write(request_of(more))
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(reader.read(), WAIT_S)
        writer.close()
    assert "an answer broke off" in caplog.text
