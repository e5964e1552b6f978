"""A cheap HTTP/1.1 client for load: keep-alive connections that send ready-made bytes and look at little of what comes back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_CHUNKED: Final = b"transfer-encoding: chunked"
HOST: Final = "127.0.0.1"


class Answer(NamedTuple):
    """`status`, and the body."""

    status: int
    body: bytes


@dataclass
class Load:
    """What a load met: answers by status, and the seconds that each took (of the closed loop)."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """Answers of the 200s."""
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)


class HttpConnection(asyncio.Protocol):
    """One connection. `on_answer(status, body)` is called for each answer, in order."""

    def __init__(self, on_answer: Callable[[int, bytes], None]) -> None:
        self._on_answer = on_answer
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        """Connected."""
        self._transport = transport

    def send(self, request: bytes) -> None:
        """Send a whole request."""
        self._transport.write(request)

    def close(self) -> None:
        """End it."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived: take whole answers off them."""
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(_END_OF_HEAD)) >= 0:
            head = buffer[:end].lower()
            if _CHUNKED in head:
                whole, body = _unchunked(buffer, end + len(_END_OF_HEAD))
                if whole < 0:
                    break
                buffer = buffer[whole:]
            else:
                at = head.find(_LENGTH)
                length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
                whole = end + len(_END_OF_HEAD) + length
                if len(buffer) < whole:
                    break
                body, buffer = buffer[whole - length : whole], buffer[whole:]
            self._on_answer(int(head[9:12]), body)
        self._buffer = buffer


def _unchunked(buffer: bytes, at: int) -> tuple[int, bytes]:
    """(where a chunked body that begins at `at` ends, the body); -1 if it is not whole yet."""
    body = b""
    while (end := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:end].split(b";")[0], 16)
        at = end + 2 + size + 2
        if len(buffer) < at:
            break
        if not size:
            return at, body
        body += buffer[end + 2 : end + 2 + size]
    return -1, b""


async def connect(port: int, on_answer: Callable[[int, bytes], None]) -> HttpConnection:
    """A connection to a server on this machine."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: HttpConnection(on_answer), HOST, port)
    return connection


async def closed_loop(port: int, clients: int, next_request: Callable[[], bytes], duration_s: float) -> Load:
    """`clients` connections, each sending the next request when its last is answered, for `duration_s`."""
    load = Load()
    finished = asyncio.Event()
    under_way = 0
    began_s = time.perf_counter()
    deadline_s = began_s + duration_s

    async def open_one() -> None:
        nonlocal under_way
        sent_s = 0.0

        def go_on(status: int, _body: bytes) -> None:
            nonlocal sent_s, under_way
            now_s = time.perf_counter()
            load.statuses[status] += 1
            load.latencies_s.append(now_s - sent_s)
            if now_s < deadline_s:
                sent_s = now_s
                connection.send(next_request())
                return
            connection.close()
            under_way -= 1
            if not under_way:
                finished.set()

        connection = await connect(port, go_on)
        under_way += 1
        sent_s = time.perf_counter()
        connection.send(next_request())

    await asyncio.gather(*(open_one() for _ in range(clients)))
    async with asyncio.timeout(duration_s + 30):
        await finished.wait()
    load.seconds = time.perf_counter() - began_s
    return load


class Pool:
    """Connections for open loops: a request takes a free one, or a new one up to `most`; else it waits."""

    def __init__(self, port: int, most: int) -> None:
        self._port = port
        self._room = asyncio.Semaphore(most)
        self._free: deque[_Pooled] = deque()

    async def ask(self, request: bytes) -> Answer:
        """One answer."""
        async with self._room:
            pooled = self._free.pop() if self._free else await _Pooled.open(self._port)
            answer = await pooled.ask(request)
            self._free.append(pooled)
            return answer

    def close(self) -> None:
        """End all connections."""
        for pooled in self._free:
            pooled.connection.close()


class _Pooled:
    connection: HttpConnection
    _waiting: asyncio.Future[Answer]

    @classmethod
    async def open(cls, port: int) -> _Pooled:
        pooled = cls()
        pooled.connection = await connect(port, pooled._settle)
        return pooled

    def ask(self, request: bytes) -> Awaitable[Answer]:
        self._waiting = asyncio.get_running_loop().create_future()
        self.connection.send(request)
        return self._waiting

    def _settle(self, status: int, body: bytes) -> None:
        if not self._waiting.done():
            self._waiting.set_result(Answer(status, body))


def request(method: str, path: str, *, token: str = "", body: bytes = b"", more: str = "") -> bytes:
    """A whole request. `more` are further header lines, each with its line end."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank); NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
