"""The gateway's HTTP connection against whatever bytes, timings and ends a client may think of.

Each case is one connection of the real protocol class over the real handlers. It holds: no exception escapes and no error is logged; what a
connection queues, holds and writes is bounded; what arrives is a sequence of whole responses; every score that was appended was
answered 202, unless the client itself left; and a connection that has ended leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.gateway.fast_path import GatewayHttp
from serve_app.http.bodies import UnreadBodies
from serve_app.http.connection_bounds import MAX_QUEUED
from tests.fuzz.in_process import CUTS, InProcessGateway, fuzzed, in_process
from tests.support.memory_transport import MemoryTransport

MAX_BODY_BYTES = 100_000
MAX_UNREAD_BYTES = 80_000
READ_BYTES = 8 * 1024  # of what was sent, at a time
HIGH_WATER_BYTES = MAX_ANSWER_BYTES = 4 * 1024
MAX_PASSES = 5000  # of the loop, for all that is under way to end
QUICK_PASSES = 100  # of these; then a thread that makes a piece of an export gets time


class WatchedBodies(UnreadBodies):
    """Remembers the most that was ever held."""

    most_bytes = 0

    def add(self, more_bytes: int) -> None:
        super().add(more_bytes)
        self.most_bytes = max(self.most_bytes, self.held_bytes)


class Bench:
    """A gateway without its socket, for many connections one after another."""

    def __init__(self, inner: InProcessGateway, tournament: str) -> None:
        self.inner = inner
        self.gateway = gateway = inner.gateway
        self.tournament = tournament
        self.token = gateway.token().encode()
        self.appending = asyncio.Event()
        self.appended: list[str] = []
        self.unread = inner.app.unread_bodies = WatchedBodies(MAX_UNREAD_BYTES)
        self.cases = 0
        append = gateway.palio.log.append

        async def held(records: Any, timeout_s: float = 5.0) -> list[int]:
            await self.appending.wait()
            self.appended += [json.loads(record.value).get("event_id", "") for record in records]
            return await append(records, timeout_s)

        gateway.palio.log.append = lambda *call: asyncio.ensure_future(held(*call))  # type: ignore[method-assign]

    def request(self, kind: str, number: int) -> bytes:
        """One request; scores have an event id of their own."""
        event = b"%d-%d" % (self.cases, number)
        submission = b'{"event_id":"%b","score":%d}' % (event, number)
        path = b"/v1/tournaments/" + self.tournament.encode()
        token = b"Authorization: Bearer %b\r\n" % self.token
        length = b"Content-Length: %d\r\n"
        if kind == "chunked score":
            pieces = b"".join(b"1\r\n%b\r\n" % submission[at : at + 1] for at in range(len(submission)))
            head = b"POST %b/scores HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (path, token)
            return head + pieces + b"0\r\nAuthorization: Bearer x\r\n\r\n"
        if kind == "trailer":
            body = submission.replace(b'"event_id":"', b'"event_id":"trailer-')
            head = b"POST %b/scores HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" % path
            return head + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, token)
        if kind in ("batch", "large batch"):
            item = b'{"tournament_id":"%b","user_id":"1",' % self.tournament.encode() + submission[1:]
            service = b"Authorization: Bearer %b\r\n" % self.gateway.token(9, "service").encode()
            body = b"[" + item + b"]" + b" " * (70_000 if kind == "batch" else 95_000)  # more than a stranger may send
            return b"POST /v1/scores HTTP/1.1\r\n%b%b\r\n%b" % (service, length % len(body), body)
        if kind == "joins":
            good = b'{"tournament_id":"%b","user_id":"%d"}' % (self.tournament.encode(), 100 + number)
            body = b"\n".join((good, b'{"tournament_id":"77","user_id":"1"}', good[: number % len(good)]))
            service = b"Authorization: Bearer %b\r\n" % self.gateway.token(9, "service").encode()
            lines = b"Content-Type: application/x-ndjson\r\n" + length % len(body)
            return b"POST /v1/participants HTTP/1.1\r\n%b%b\r\n%b" % (service, lines, body)
        scores = b"POST %b/scores%b HTTP/1.1\r\n%b%b%b\r\n%b"
        ordinary = {
            "score": (b"", token, b""),
            "general score": (b"?x=1", token, b""),
            "waited score": (b"", token, b"Prefer: wait=1\r\n"),
            "last score": (b"", token, b"Connection: close\r\n"),
            "expected score": (b"", token, b"Expect: 100-continue\r\n"),
            "score of nobody": (b"", b"", b""),
            "score of two": (b"", token * 2, b""),
        }
        if kind in ordinary:
            query, authorization, more = ordinary[kind]
            return scores % (path, query, authorization, length % len(submission), more, submission)
        head = path + b" HTTP/1.1\r\nHost: x\r\n"
        return {
            "view": b"GET " + head + b"\r\n",
            "many views": (b"GET " + head + b"\r\n") * 40,
            "head of view": b"HEAD " + head + b"\r\n",
            "rankings": b"GET " + path + b"/rankings?limit=3 HTTP/1.1\r\n\r\n",
            "export": b"GET " + path + b"/export HTTP/1.1\r\n\r\n",
            "old export": b"GET " + path + b"/export?format=gradebook HTTP/1.0\r\n\r\n",
            "head of export": b"HEAD " + path + b"/export?format=clics HTTP/1.1\r\n\r\n",
            "old": b"GET /healthz HTTP/1.0\r\n\r\n",
            "options": b"OPTIONS /v1/scores HTTP/1.1\r\nOrigin: http://x\r\nAccess-Control-Request-Method: POST\r\n\r\n",
            "nowhere": b"GET /%ff%00?%zz=&&&==%ff HTTP/1.1\r\n\r\n",
            "whole address": b"GET http://user@x:99999" + head + b"\r\n",
            "odd method": b"CONNECT x:1 HTTP/1.1\r\n\r\n",
            "upgrade": b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            "large": b"POST /v1/scores HTTP/1.1\r\nContent-Length: 100001\r\n\r\n" + b"x" * 100_001,
            "large of nobody": b"PUT "
            + path
            + b"/participants/1 HTTP/1.1\r\nContent-Length: 70000\r\n\r\n"
            + b" " * 70_000,
            "many headers": b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n",
            "large head": b"GET / HTTP/1.1\r\na: " + b"b" * 40_000 + b"\r\n\r\n",
            "no length": b"POST /v1/scores HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "two lengths": b"POST /v1/scores HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "bad chunk": b"POST /v1/scores HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\nzz\r\n",
            "no http": b"\x16\x03\x01\x00\r\n\r\n",
            "second version": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "lines": b"\r\n\r\n",
        }[kind]


KINDS = (
    "score", "general score", "waited score", "chunked score", "trailer", "batch", "large batch", "joins", "expected score", "last score",
    "score of nobody", "score of two",
    "view", "many views", "head of view", "rankings", "export", "old export", "head of export",
    "old", "options", "nowhere", "whole address", "odd method", "upgrade", "large",
    "large of nobody", "many headers", "large head", "no length", "two lengths", "bad chunk", "no http", "second version", "lines",
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.sampled_from(KINDS),
        st.sampled_from(("score", "general score", "view")),  # most of what is really sent
        st.sampled_from(("pause", "append", "hold", "stop reading", "read", "time")),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=9,
)
ENDS = st.sampled_from(("open", "end", "reset"))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with in_process(max_body_bytes=MAX_BODY_BYTES, max_unread_body_bytes=MAX_UNREAD_BYTES) as inner:
        yield Bench(inner, inner.loop.run_until_complete(inner.gateway.tournament(players=1)))


@fuzzed
@given(steps=STEPS, cuts=CUTS, end=ENDS)
def test_a_connection_keeps_to_its_rules(bench: Bench, steps: list[str | bytes], cuts: list[int], end: str) -> None:
    bench.inner.loop.run_until_complete(run_case(bench, steps, cuts, end))


async def run_case(bench: Bench, steps: list[str | bytes], cuts: list[int], end: str) -> None:
    bench.cases += 1
    bench.appended.clear()
    bench.appending.set()
    case = Case(bench, cuts)
    try:
        for number, step in enumerate(steps):
            await case.take(step, number)
        case.flush()
        bench.appending.set()
        if end == "end":
            case.transport.end()
        elif end == "reset":
            case.transport.reset()
        await case.settle()
        if end != "reset":
            await case.check_answers()
    finally:
        case.transport.abort()
        await case.settle()
    assert case.transport.lost
    assert not bench.inner.state.connections
    assert bench.inner.app.unread_bodies.held_bytes == 0
    assert not bench.inner.faults.seen
    gone = weakref.ref(case.protocol)
    gc.disable()
    del case
    await asyncio.sleep(0)
    gc.enable()
    assert gone() is None  # without the collector: nothing refers to it in a circle


class Case:
    """One connection, and its client."""

    def __init__(self, bench: Bench, cuts: list[int]) -> None:
        self.bench = bench
        self.cuts = iter(cuts)
        self.pending = b""
        self.protocol = GatewayHttp(bench.inner.config, bench.inner.state, {}, bench.inner.loop)
        self.transport = MemoryTransport(bench.inner.loop, self.protocol)
        self.transport.set_write_buffer_limits(HIGH_WATER_BYTES)

    async def take(self, step: str | bytes, number: int) -> None:
        bench, transport = self.bench, self.transport
        if isinstance(step, bytes):
            self.pending += step
        elif step in KINDS:
            self.pending += bench.request(step, number)
        else:
            self.flush()
            if step == "hold":
                bench.appending.clear()
            elif step == "append":
                bench.appending.set()
            elif step == "stop reading":
                transport.reads = False
            elif step == "read":
                transport.reads = True
                transport.read()
            elif step == "time" and bench.appending.is_set() and transport.reads:
                await self.settle()
                self.expire(31)
            await asyncio.sleep(0)
            self.check_bounds()

    def flush(self) -> None:
        """Send what is due, in pieces."""
        while self.pending:
            size = next(self.cuts, len(self.pending))
            self.send(self.pending[:size])
            self.pending = self.pending[size:]
            self.check_bounds()

    def send(self, data: bytes) -> None:
        for at in range(0, len(data), READ_BYTES):
            self.transport.send(data[at : at + READ_BYTES])

    async def settle(self) -> None:
        """Let all that is under way end."""
        self.transport.reads = True
        quiet = 0
        for number in range(MAX_PASSES):
            self.transport.read()
            await asyncio.sleep(0 if number < QUICK_PASSES else 0.001)
            self.check_bounds()
            quiet = 0 if self.bench.inner.state.tasks else quiet + 1
            if quiet == 4:
                return
        raise AssertionError("requests are under way for ever")

    def expire(self, after_s: float) -> None:
        if not self.transport.lost:
            self.protocol.expire(self.bench.inner.loop.time() + after_s)

    def check_bounds(self) -> None:
        exchanges = self.protocol.exchanges
        assert len(exchanges) <= 1 + MAX_QUEUED
        assert sum(len(exchange.body) for exchange in exchanges if not exchange.started) <= MAX_BODY_BYTES + READ_BYTES
        assert self.bench.unread.most_bytes <= MAX_UNREAD_BYTES + READ_BYTES
        assert self.transport.most_unsent_bytes <= HIGH_WATER_BYTES + MAX_ANSWER_BYTES

    async def check_answers(self) -> None:
        answers = responses(bytes(self.transport.received))
        assert not any(status == 500 for status, _ in answers), answers
        accepted = [body["event_id"] for status, body in answers if status in (200, 202) and "event_id" in body]
        batches = sum(body.get("accepted", 0) for _, body in answers)  # these name no event
        assert len(accepted) + batches == len(self.bench.appended), (self.bench.appended, answers)
        assert set(accepted) <= set(self.bench.appended)
        assert not any(event.startswith("trailer") for event in accepted)
        self.expire(100)  # beyond every time that a silent client has
        await self.settle()
        assert self.transport.lost or self.protocol.slow.ended_since_s
        self.expire(200)
        await self.settle()
        assert self.transport.lost


def responses(data: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The status and body of each response; nothing may be left over."""
    found = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        assert separator, data
        line, *lines = head.split(b"\r\n")
        version, status = line.split(b" ")[:2]
        assert version == b"HTTP/1.1", data
        headers = dict(each.lower().split(b": ", 1) for each in lines)
        body = b""
        if headers.get(b"transfer-encoding") == b"chunked":
            body, rest = dechunked(rest)
        elif headers.get(b"content-type", b"").startswith(b"text/csv") and not rest.startswith(b"HTTP/1.1 "):
            assert headers[b"connection"] == b"close"
            body, rest = rest, b""
        elif not rest.startswith(b"HTTP/1.1 "):  # the answer to HEAD has a length and no body
            length = int(headers.get(b"content-length", b"0"))
            body, rest = rest[:length], rest[length:]
            assert len(body) in (length, 0)
        if body.startswith((b"rank,", b"ID number,")):
            assert body.endswith(b"\r\n")
            body = b""
        found.append((int(status), json.loads(body) if body else {}))
        data = rest
    return found


def dechunked(data: bytes) -> tuple[bytes, bytes]:
    """A body in chunks, and what follows it."""
    body = b""
    while True:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        assert data[size : size + 2] == b"\r\n", data
        body, data = body + data[:size], data[size + 2 :]
        if size == 0:
            return body, data
