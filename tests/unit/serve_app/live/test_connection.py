"""What a client may send on a live socket, and what becomes of it: over real sockets, and over a transport that never blocks."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from serve_app.gateway import server
from serve_app.live import connection as live_connection
from serve_app.live.connection import SLICE_BYTES
from serve_app.live.limits.bounds import HubLimits
from serve_app.metrics import HANDSHAKES, REJECTED
from tests.support.gateway import HANDSHAKE, WAIT_S, Gateway, running_gateway
from tests.support.live_wire import LiveWire, client_frame, read_frames
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop


PING = client_frame(9, b"")
FRAGMENT = client_frame(0, b"", fin=False)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway() as running:
        yield running


async def shaken(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A live socket as bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    writer.write(HANDSHAKE)
    async with asyncio.timeout(WAIT_S):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", PING),
        (b"", client_frame(10, b"pong")),
        (client_frame(1, b"{", fin=False), FRAGMENT),
        (b"", client_frame(1, b'{"id":1,"unsubscribe":"5"}')),
        (b"", client_frame(2, b"binary")),
    ],
    ids=["pings", "pongs", "empty fragments", "messages", "binary"],
)
async def test_a_client_that_sends_many_times_its_allowance_is_closed(
    gateway: Gateway, first: bytes, then: bytes
) -> None:
    reader, writer = await shaken(gateway)
    writer.write(first + then * 40_000)
    async with asyncio.timeout(WAIT_S), gateway.client() as other:
        frames = await read_frames(reader)
        assert frames[-1] == (8, (1008).to_bytes(2) + b"too many frames")
        assert len(frames) < 20_000
        assert (await other.ask(unsubscribe="5"))["ok"]
    writer.close()


@pytest.mark.parametrize("ignored", [PING, client_frame(10, b"")], ids=["pings", "pongs"])
async def test_control_frames_count_as_messages_do(ignored: bytes) -> None:
    message = client_frame(1, b'{"id":1,"unsubscribe":"5"}')
    async with LiveWire.open() as wire:
        wire.transport.send(message)
        await wire.settle()
        assert b'"ok"' in wire.taken()
        wire.transport.send(ignored * 480 + message)  # within three slices, and 80 more than the allowance
        await wire.settle()
        assert b"rate_limited" in wire.taken()


async def test_the_parser_gets_a_slice_at_a_time() -> None:
    async with LiveWire.open() as wire:
        wire.transport.send(PING * 30_000)
        assert not wire.transport.is_reading()
        pongs = len(wire.taken()) // 2
        assert 0 < pongs <= SLICE_BYTES // len(PING) + 1
        await asyncio.sleep(0)  # others had their turn
        await wire.settle()
        assert len(wire.taken()) // 2 > 0  # and it goes on by itself


async def test_nothing_is_answered_while_the_client_takes_nothing() -> None:
    async with LiveWire.open() as wire:
        wire.connection.pause_writing()
        assert not wire.transport.is_reading()
        wire.connection.data_received(PING * 100)  # what the transport had read already
        await wire.settle()
        assert wire.taken() == b""
        wire.connection.resume_writing()
        await wire.settle()
        assert len(wire.taken()) == 2 * 100
        assert wire.transport.is_reading()


async def test_answers_to_pings_stay_within_the_bound() -> None:
    async with running_gateway(socket_buffer_bytes=32 * 1024) as gateway:
        reader, writer = await shaken(gateway)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        [session] = gateway.hub.sockets
        transport: Any = session.write.__self__  # type: ignore[attr-defined]
        written = 0
        async with asyncio.timeout(WAIT_S):
            while not session.paused and written < 9_000:
                writer.write(client_frame(9, b"x" * 125))
                written += 1
                await asyncio.sleep(0)
            while not session.paused:
                await asyncio.sleep(0.01)
        assert transport.get_write_buffer_size() < 34 * 1024
        writer.write(client_frame(9, b"x" * 125) * 500)
        await asyncio.sleep(0.05)
        assert transport.get_write_buffer_size() < 34 * 1024
        writer.transport.abort()


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (HANDSHAKE[:-2] + b"X-Long: " + b"x" * 9000 + b"\r\n\r\n", 431, "too_large"),
        (HANDSHAKE.replace(b"/v1/live", b"/v1/live?" + b"x" * 9000), 414, "too_large"),
        (HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), 400, "malformed"),
        (HANDSHAKE.replace(b"Version: 13", b"Version: 7"), 400, "malformed"),
        (HANDSHAKE[:-2] + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", 431, "too_large"),
    ],
    ids=["long header", "long target", "key", "version", "many headers"],
)
async def test_a_handshake_that_is_none_is_answered_and_counted(
    gateway: Gateway, head: bytes, status: int, code: str
) -> None:
    counted = REJECTED.labels(entrypoint="gateway", code=code)
    before = counted._value.get()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    writer.write(head)
    async with asyncio.timeout(WAIT_S):
        answer = await reader.read()
    top, _, body = answer.partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["code"] == code
    assert counted._value.get() == before + 1
    assert HANDSHAKES._value.get() == 0
    writer.close()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://palio.example/v1/live", 101),
        (b"HTTP://PALIO.EXAMPLE:8001/v1/live?x=1", 101),
        (b"/v1/l%69ve", 101),
        (b"http://palio.example", 404),
        (b"http://palio.example:99999/v1/live", 404),
        (b"http://[::1/v1/live", 404),
        (b"*", 404),
    ],
)
async def test_targets_of_handshakes(gateway: Gateway, target: bytes, status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    writer.write(HANDSHAKE.replace(b"/v1/live", target))
    async with asyncio.timeout(WAIT_S):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 %d " % status)
    writer.transport.abort()


async def test_cookies_of_a_browser_do_not_matter(gateway: Gateway) -> None:
    async with gateway.client(additional_headers={"Cookie": "state=" + "x" * 20_000}) as client:
        assert (await client.ask(unsubscribe="5"))["ok"]


async def test_a_handshake_that_gets_no_answer_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_connection, "HANDSHAKE_TIMEOUT_S", 0.01)
    async with LiveWire.open(accepts=False) as wire:
        assert HANDSHAKES._value.get() == 1
        async with asyncio.timeout(WAIT_S):
            while not wire.transport.wrote_eof:
                await asyncio.sleep(0.01)
        assert wire.taken().startswith(b"HTTP/1.1 408 ")
        assert HANDSHAKES._value.get() == 0


async def test_no_more_sockets_of_an_address_than_allowed() -> None:
    limits = HubLimits(check_interval_s=3600, max_sockets_per_address=2)
    async with running_gateway(limits) as gateway, gateway.client(), gateway.client() as second:
        with pytest.raises(InvalidStatus) as refused:
            async with gateway.client():
                pass
        assert refused.value.response.status_code == 429
        assert int(refused.value.response.headers["retry-after"]) >= 1
        assert json.loads(refused.value.response.body)["code"] == "too_many_sockets_of_address"
        await second.socket.close()
        async with asyncio.timeout(WAIT_S):
            while gateway.server.sockets == 2:
                await asyncio.sleep(0)
        async with gateway.client() as third:
            await third.ask(unsubscribe="1")


async def test_sockets_behind_a_trusted_proxy_count_for_whom_it_speaks() -> None:
    limits = HubLimits(check_interval_s=3600, max_sockets_per_address=1)

    def of(address: str) -> dict[str, str]:
        return {"X-Forwarded-For": address}

    async with (
        running_gateway(limits, trusted_proxies="127.0.0.0/8") as gateway,
        gateway.client(additional_headers=of("192.0.2.1")) as one,
        gateway.client(additional_headers=of("198.51.100.7, 192.0.2.2")) as two,  # what a client claims does not count
    ):
        assert sorted(socket.address for socket in gateway.hub.sockets) == ["192.0.2.1", "192.0.2.2"]
        for taken in ("192.0.2.1", "203.0.113.9, 192.0.2.2"):
            with pytest.raises(InvalidStatus) as refused:
                async with gateway.client(additional_headers=of(taken)):
                    pass
            assert json.loads(refused.value.response.body)["code"] == "too_many_sockets_of_address"
        assert (await one.ask(unsubscribe="1"))["ok"]
        assert (await two.ask(unsubscribe="1"))["ok"]


async def test_whoever_is_no_trusted_proxy_speaks_for_itself() -> None:
    limits = HubLimits(check_interval_s=3600, max_sockets_per_address=1)
    async with running_gateway(limits) as gateway, gateway.client(additional_headers={"X-Forwarded-For": "192.0.2.1"}):
        with pytest.raises(InvalidStatus) as refused:
            async with gateway.client(additional_headers={"X-Forwarded-For": "192.0.2.2"}):
                pass
        assert refused.value.response.status_code == 429


@pytest.mark.parametrize(
    "ends", ["client", "client abruptly", "server", "flood", "refused", "no handshake", "no frame"]
)
async def test_a_closed_connection_leaves_no_cycle(monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    monkeypatch.setattr(server, "EXPIRE_INTERVAL_S", 0.001)  # what looks at connections must not keep them
    async with running_gateway() as gateway:
        await _leaves_no_cycle(gateway, ends)


async def _leaves_no_cycle(gateway: Gateway, ends: str) -> None:
    tournament = await gateway.tournament(players=1)
    made: list[weakref.ref[Any]] = []
    connection_made = live_connection.LiveConnection.connection_made

    def remember(self: Any, transport: Any) -> None:
        made.extend(weakref.ref(each) for each in (self, self.conn, transport.get_protocol()))
        connection_made(self, transport)

    gc.collect()
    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(live_connection.LiveConnection, "connection_made", remember)
            await _converse(gateway, tournament, ends)
        async with asyncio.timeout(WAIT_S):
            while any(each() is not None for each in made):
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
    assert len(made) == 3
    assert not gateway.hub.sockets


async def _converse(gateway: Gateway, tournament: str, ends: str) -> None:
    if ends == "refused":
        with pytest.raises(InvalidStatus):
            async with gateway.client(subprotocols=["graphql-ws"]):
                pass
        return
    if ends == "no handshake":
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
        writer.write(HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"))
        await reader.read()
        writer.close()
        return
    async with gateway.client() as client:
        await client.ask(auth=gateway.token(1))
        await client.watch(tournament, me=True)
        await gateway.score(tournament, 1, 5)
        if ends == "client abruptly":
            client.socket.transport.abort()
        elif ends == "no frame":
            client.socket.transport.write(b"\x83\x80\x00\x00\x00\x00")
            await client.socket.wait_closed()
        elif ends == "server":
            await gateway.hub.drain(0)
            gateway.hub.draining = False
            await client.socket.wait_closed()
        elif ends == "flood":
            client.socket.transport.write(PING * 40_000)
            await client.socket.wait_closed()
            assert client.socket.close_code == 1008
