"""The gateway's live socket against whatever bytes, timings and ends a client may think of.

Each case is one connection of the real protocol classes over the real hub. It holds: no exception escapes and no error is logged; what a
connection holds unread and unsent is bounded; what arrives is one HTTP answer and then whole frames, of which a close frame is the last;
nothing private is sent; and a connection that has ended leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.gateway.fast_path import GatewayHttp
from serve_app.live.connection import SLICE_BYTES, LiveConnection
from serve_app.metrics import HANDSHAKES
from tests.fuzz.in_process import CUTS, InProcessGateway, fuzzed, in_process
from tests.support.gateway import HANDSHAKE
from tests.support.live_wire import client_frame
from tests.support.memory_transport import READ_BYTES, MemoryTransport

MAX_FRAME_BYTES = 4096
BUFFER_BYTES = 16 * 1024
MAX_SNAPSHOT_BYTES = 4096
LEAST_MESSAGE_BYTES = 7  # of a frame with a byte in it
HANDSHAKES_SENT = {
    "good": HANDSHAKE,
    "subprotocol": HANDSHAKE[:-2] + b"Sec-WebSocket-Protocol: palio.v1\r\n\r\n",
    "other subprotocol": HANDSHAKE[:-2] + b"Sec-WebSocket-Protocol: x\r\n\r\n",
    "elsewhere": HANDSHAKE.replace(b"/v1/live", b"/v1/%ff"),
    "cookies": HANDSHAKE[:-2] + b"Cookie: " + b"x" * 9000 + b"\r\n\r\n",
    "long header": HANDSHAKE[:-2] + b"X: " + b"x" * 9000 + b"\r\n\r\n",
    "long target": HANDSHAKE.replace(b"/v1/live", b"/v1/live?" + b"x" * 9000),
    "short key": HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
    "no key": HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X-Key"),
    "version": HANDSHAKE.replace(b"Version: 13", b"Version: 7"),
    "extension": HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
    "odd extension": HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: ;;=\r\n\r\n",
}
FRAMES = {
    "auth": b"",  # made with a token
    "auth of the service": b"",
    "watch": b"",
    "watch me": b"",
    "watch private": b"",
    "watch nothing": client_frame(1, b'{"id":4,"subscribe":"1"}'),
    "unwatch": b"",
    "submit": b"",
    "submit for another": b"",
    "submit hidden": b"",
    "submit thrice": b"",
    "submit nothing": client_frame(1, b'{"id":9,"submit":{"tournament":"1","event_id":"x","score":1}}'),
    "submit wrongly": client_frame(1, b'{"id":9,"submit":{"tournament":"1","event_id":"","score":"1","more":1}}'),
    "submit badly": client_frame(1, b'{"id":9,"submit":{"tournament":"\xff","event_id":"x","score":1}}'),
    "bad token": client_frame(1, b'{"auth":"x.y.z"}'),
    "no message": client_frame(1, b'{"id":'),
    "deep": client_frame(1, b"[" * 2000),
    "no text": client_frame(1, b"\xff\xfe"),
    "binary": client_frame(2, b"\x00"),
    "empty": client_frame(1, b""),
    "ping": client_frame(9, b"x" * 125),
    "pong": client_frame(10, b"never asked for"),
    "pings": client_frame(9, b"") * 500,
    "large pings": client_frame(9, b"x" * 125) * 300,
    "flood": client_frame(10, b"") * 12_000,
    "messages": client_frame(1, b'{"unsubscribe":"1"}') * 60,
    "begin": client_frame(1, b'{"id":7,', fin=False),
    "go on": client_frame(0, b'"unsubscribe":', fin=False),
    "end": client_frame(0, b'"1"}'),
    "fragments": client_frame(0, b"", fin=False) * 200,
    "full fragments": client_frame(0, b"x" * 1000, fin=False) * 10,
    "large": client_frame(1, b"x" * (MAX_FRAME_BYTES + 1)),
    "announced large": bytes([0x81, 0xFF]) + (1 << 62).to_bytes(8),
    "large ping": client_frame(9, b"x" * 126),
    "ping in pieces": client_frame(9, b"", fin=False),
    "unmasked": b"\x81\x02{}",
    "reserved bit": b"\xc1\x80\x00\x00\x00\x00",
    "reserved opcode": b"\x83\x80\x00\x00\x00\x00",
    "close": client_frame(8, (1000).to_bytes(2)),
    "close without code": client_frame(8, b""),
    "close with a bad code": client_frame(8, (1005).to_bytes(2)),
    "close with bad text": client_frame(8, (1000).to_bytes(2) + b"\xff"),
    "half a close": client_frame(8, b"\x03"),
}
HAPPENINGS = ("score", "remove", "pause", "stop reading", "read", "drain", "ping timeout")
STEPS = st.lists(
    st.one_of(
        st.sampled_from(tuple(FRAMES)),
        st.sampled_from(("auth", "watch", "watch me", "watch private", "submit", "submit thrice", "score", "pause")),
        st.sampled_from(HAPPENINGS),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=9,
)
OPENINGS = st.one_of(st.just("good"), st.sampled_from(tuple(HANDSHAKES_SENT)))
ENDS = st.sampled_from(("open", "end", "reset"))


class Bench:
    """A gateway with a public tournament of user 1, and two private ones: theirs, and one that is not."""

    def __init__(self, inner: InProcessGateway) -> None:
        self.inner = inner
        self.gateway = inner.gateway
        self.cases = 0

    async def open(self) -> None:
        gateway = self.gateway
        self.public = await gateway.tournament(players=1)
        self.theirs = await gateway.tournament(players=1, visibility="private")
        self.hidden = await gateway.tournament(visibility="private")
        await gateway.join(self.hidden, 2)
        token, service = gateway.token(1), gateway.token(9, "service")
        messages = {
            "auth": {"id": 1, "auth": token},
            "auth of the service": {"id": 2, "auth": service},
            "watch": {"id": 3, "subscribe": self.public},
            "watch me": {"id": "me", "subscribe": self.public, "me": True},
            "watch private": {"id": 5, "subscribe": self.theirs},
            "unwatch": {"id": 6, "unsubscribe": self.public},
            "submit": submission(self.public),
            "submit hidden": submission(self.hidden),
            "submit for another": submission(self.public, user_id="2"),
        }
        self.frames = FRAMES | {name: client_frame(1, json.dumps(each).encode()) for name, each in messages.items()}
        self.frames["submit thrice"] = self.frames["submit"] * 3
        self.frames["watch nothing"] = client_frame(1, json.dumps({"id": 4, "subscribe": self.hidden}).encode())


def submission(tournament: str, **more: str) -> dict[str, object]:
    return {"id": 8, "submit": {"tournament": tournament, "event_id": "fuzz", "score": 1, **more}}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with in_process(max_frame_bytes=MAX_FRAME_BYTES, socket_buffer_bytes=BUFFER_BYTES) as inner:
        made = Bench(inner)
        inner.loop.run_until_complete(made.open())
        yield made


@fuzzed
@given(opening=OPENINGS, steps=STEPS, cuts=CUTS, end=ENDS)
def test_a_live_socket_keeps_to_its_rules(
    bench: Bench, opening: str, steps: list[str | bytes], cuts: list[int], end: str
) -> None:
    bench.inner.loop.run_until_complete(run_case(bench, opening, steps, cuts, end))


async def run_case(bench: Bench, opening: str, steps: list[str | bytes], cuts: list[int], end: str) -> None:
    bench.cases += 1
    case = Case(bench, cuts)
    case.pending = HANDSHAKES_SENT[opening]
    if "auth of the service" not in steps:
        case.forbidden = f'"tournament":"{bench.hidden}","type":"snapshot"'.encode()
    try:
        for step in steps:
            await case.take(step)
        case.flush()
        if end == "end":
            case.transport.end()
        elif end == "reset":
            case.transport.reset()
        await case.settle()
        case.check_answers()
    finally:
        case.transport.abort()
        await case.settle()
        bench.gateway.hub.draining = False
    assert case.transport.lost
    hub = bench.gateway.hub
    assert not hub.sockets
    assert not any(topic.watched for topic in hub.topics.by_id.values())
    assert not bench.inner.state.connections
    assert not bench.inner.state.tasks
    assert HANDSHAKES._value.get() == 0
    assert not bench.inner.faults.seen
    gone = [weakref.ref(each) for each in (case.protocol, case.live) if each is not None]
    gc.disable()
    del case
    await asyncio.sleep(0)
    gc.enable()
    assert [each() for each in gone] == [None] * len(gone)  # without the collector: nothing refers to it in a circle


class Case:
    """One connection, and its client."""

    def __init__(self, bench: Bench, cuts: list[int]) -> None:
        self.bench = bench
        self.cuts = iter(cuts)
        self.pending = b""
        self.forbidden = b"never sent"
        inner = bench.inner
        self.protocol = GatewayHttp(inner.config, inner.state, {}, inner.loop)
        self.transport = MemoryTransport(inner.loop, self.protocol)
        self.live: LiveConnection | None = None
        calls = bench.gateway.palio.log.calls
        self.appended_before = sum(b'"fuzz"' in record.value for call in calls for record in call)

    async def take(self, step: str | bytes) -> None:
        gateway, transport = self.bench.gateway, self.transport
        if isinstance(step, bytes):
            self.pending += step
        elif step in FRAMES:
            self.pending += self.bench.frames[step]
        else:
            self.flush()
            if step == "score":
                for tournament in (self.bench.public, self.bench.theirs):
                    await gateway.score(tournament, 1, self.bench.cases)
            elif step == "remove":
                await gateway.leave(self.bench.theirs, 1)
                await gateway.join(self.bench.theirs, 1)
            elif step == "stop reading":
                transport.reads = False
            elif step == "read":
                transport.reads = True
                transport.read()
            elif step == "drain":
                await gateway.hub.drain(0)
                gateway.hub.draining = False
            elif step == "ping timeout" and self.live is not None and self.live.handshake_complete:
                if self.live.ping_timer is not None:
                    self.live.ping_timer.cancel()
                self.live.send_keepalive_ping()
                if self.live.pong_timer is not None:
                    self.live.pong_timer.cancel()
                    self.live.keepalive_timeout()
            await asyncio.sleep(0)
            self.check_bounds()

    def flush(self) -> None:
        """Send what is due, in pieces."""
        while self.pending:
            size = next(self.cuts, len(self.pending))
            self.transport.send(self.pending[:size])
            self.pending = self.pending[size:]
            self.check_bounds()

    async def settle(self) -> None:
        """Let what is ready run."""
        self.transport.reads = True
        for _ in range(30):
            self.transport.read()
            await asyncio.sleep(0)
            self.check_bounds()

    def check_bounds(self) -> None:
        if not self.transport.lost:
            protocol = self.transport.get_protocol()
            self.live = protocol if isinstance(protocol, LiveConnection) else None
        assert self.transport.most_unsent_bytes <= BUFFER_BYTES + SLICE_BYTES + MAX_SNAPSHOT_BYTES
        live = self.live
        if live is not None:
            assert len(live._unparsed) <= READ_BYTES
            assert len(live._message) <= MAX_FRAME_BYTES
            assert live.queue.qsize() <= SLICE_BYTES // LEAST_MESSAGE_BYTES + 2

    def check_answers(self) -> None:
        received = bytes(self.transport.received)
        if not received:
            return  # a handshake that is not whole
        assert self.forbidden not in received
        head, separator, rest = received.partition(b"\r\n\r\n")
        assert separator
        assert head.startswith(b"HTTP/1.1 ")
        status = int(head[9:12])
        assert status < 500
        if status != 101:
            assert json.loads(rest)["status"] == status
            return
        self.acknowledged = 0
        closed = False
        while rest:
            assert not closed, rest
            opcode, size = rest[0] & 15, rest[1]
            at = 2
            if size == 126:
                size, at = int.from_bytes(rest[2:4]), 4
            assert size < 126 or at == 4
            payload, rest = rest[at : at + size], rest[at + size :]
            assert len(payload) == size
            assert opcode in (1, 8, 9, 10)
            if opcode == 1:
                answer = json.loads(payload)
                if answer.get("ok"):
                    self.acknowledged += answer.get("ids", [answer.get("id")]).count(8)
            closed = opcode == 8
        appended = sum(b'"fuzz"' in record.value for call in self.bench.gateway.palio.log.calls for record in call)
        assert self.acknowledged <= appended - self.appended_before
