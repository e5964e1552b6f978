from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from scripts.benchmarks.harness.http_load import Answer, HttpConnection, Load, Pool, closed_loop, percentile, request


def answer(status: int, body: bytes = b"", length: str = "Content-Length") -> bytes:
    return b"HTTP/1.1 %d Whatever\r\n%b: %d\r\nx: y\r\n\r\n%b" % (status, length.encode(), len(body), body)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_answers_are_taken_off_however_the_bytes_are_cut(size: int) -> None:
    raw = (
        answer(200, b"{}")
        + answer(429, b"", "content-length")
        + answer(202, b"\r\n\r\nHTTP/1.1 500 x")
        + b"HTTP/1.1 304 x\r\n\r\n"
    )
    seen: list[tuple[int, bytes]] = []
    connection = HttpConnection(lambda status, body: seen.append((status, body)))
    for at in range(0, len(raw), size):
        connection.data_received(raw[at : at + size])
    assert seen == [(200, b"{}"), (429, b""), (202, b"\r\n\r\nHTTP/1.1 500 x"), (304, b"")]


def test_a_request_is_whole() -> None:
    assert request("GET", "/x") == b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert request("POST", "/x", token="t", body=b"{}", more="Prefer: wait=1\r\n") == (
        b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer t\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\nPrefer: wait=1\r\n\r\n{}"
    )


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 6), (0.99, 10), (1.0, 10)])
def test_a_percentile_is_the_value_below_which_that_share_lies(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(10, 0, -1)], share) == value
    assert math.isnan(percentile([], share))
    assert percentile([5.0], share) == 5


@asynccontextmanager
async def server(statuses: list[int]) -> AsyncIterator[tuple[int, list[int]]]:
    """Answers with the statuses in turn; (port, how many connections came)."""
    came: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(1)
        with_body = 0
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                with_body = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                body = await reader.readexactly(with_body)
                writer.write(answer(statuses[0], body))
                statuses.append(statuses.pop(0))
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1], came
    finally:
        listening.close()


async def test_a_closed_loop_counts_every_answer() -> None:
    async with server([200, 202, 429]) as (port, came):
        load = await closed_loop(port, 3, lambda: request("GET", "/"), 0.05)
    total = load.statuses.total()
    assert len(came) == 3
    assert total == len(load.latencies_s) >= 3
    assert load.accepted == load.statuses[200] + load.statuses[202] == total - load.statuses[429]
    assert 0.05 <= load.seconds < 5
    assert Load().accepted == 0


async def test_a_pool_uses_connections_again_and_no_more_than_it_may() -> None:
    async with server([200]) as (port, came):
        pool = Pool(port, 2)
        bodies = [b"%d" % n for n in range(9)]
        answers = await asyncio.gather(*(pool.ask(request("POST", "/", body=body)) for body in bodies))
        assert answers == [Answer(200, body) for body in bodies]
        assert len(came) == 2
        pool.close()
