"""A replica that leaves while another one on its port goes on: no client notices but those with live sockets, who are told."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections import Counter

import httpx2
import pytest
import uvloop

from serve_app.gateway.app import GatewayApp
from serve_app.gateway.server import LEAVE_S, GatewayServer, start
from serve_app.live.hub import Hub
from serve_app.live.limits import HubLimits
from tests.support.gateway import WAIT_S, Gateway, running_gateway

pytestmark = pytest.mark.filterwarnings(
    "ignore:Overriding the .event_loop_policy. fixture"
)  # the hook is for whole folders


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy()  # as replicas run


async def another(gateway: Gateway) -> GatewayServer:
    """A second replica on the port, with a hub of its own."""
    hub = Hub(gateway.palio.owners, gateway.palio.updates, HubLimits(), gateway.palio.read_model)
    return await start(GatewayApp(gateway.api, hub), "127.0.0.1", gateway.server.port)


class Reader(threading.Thread):
    """Reads a path without pause; a connection for all reads, as long as the server keeps it, or one for each."""

    def __init__(self, port: int, path: str, *, keeps: bool) -> None:
        super().__init__()
        self.port, self.path, self.keeps = port, path, keeps
        self.seen: Counter[str] = Counter()
        self.stopping = False

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        while not self.stopping:
            try:
                connection.request("GET", self.path)
                answer = connection.getresponse()
                answer.read()
                self.seen[str(answer.status)] += 1
                if answer.will_close:
                    self.seen["told to leave"] += 1
            except (OSError, http.client.HTTPException) as error:
                self.seen[repr(error)] += 1
            if not self.keeps:
                connection.close()
            time.sleep(0.002)
        connection.close()


async def test_no_request_fails_while_replicas_take_turns() -> None:
    async with running_gateway() as gateway:
        path = f"/v1/tournaments/{await gateway.tournament(players=1)}"
        port = gateway.server.port
        first = await another(gateway)
        # which replica a connection comes to is the kernel's choice: of a dozen that stay, some are with one that leaves
        keeping = [True] * 6 + [False]
        readers = [Reader(port, path + query, keeps=keeps) for keeps in keeping for query in ("", "?lane=asgi")]
        for reader in readers:
            reader.start()
        for _ in range(3):
            second = await another(gateway)
            await asyncio.sleep(0.2)
            await first.drain(2)
            await first.stop()
            first = second
        for reader in readers:
            reader.stopping = True
        await asyncio.sleep(0.1)
        await asyncio.to_thread(lambda: [reader.join() for reader in readers])
        await first.stop()
        told = 0
        for reader in readers:
            told += reader.seen.pop("told to leave", 0)
            assert set(reader.seen) == {"200"}, reader.seen
        assert told


async def test_who_is_connected_but_not_accepted_is_answered() -> None:
    async with running_gateway() as gateway:
        connecting = [http.client.HTTPConnection("127.0.0.1", gateway.server.port, timeout=WAIT_S) for _ in range(20)]
        for each in connecting:  # the kernel says yes while the event loop is here
            each.request("GET", "/healthz")
        await gateway.server.drain(1)
        statuses = await asyncio.to_thread(lambda: [each.getresponse().status for each in connecting])
        assert statuses == [200] * 20
        for each in connecting:
            each.close()


@pytest.mark.parametrize("path", ["/v1/tournaments/{}", "/v1/tournaments/{}?lane=asgi"])
async def test_a_draining_replica_answers_and_ends_the_connection(path: str) -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as client:
        path = path.format(await gateway.tournament(players=1))
        assert "connection" not in (await client.get(path)).headers
        began_s = time.monotonic()
        draining = asyncio.create_task(gateway.server.drain(10))
        await asyncio.sleep(0.1)
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        await draining
        assert time.monotonic() - began_s < 10  # nobody is left to wait for


async def test_draining_waits_for_what_is_under_way_and_no_longer_for_who_is_idle() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as client:
        tournament = await gateway.tournament(players=1)
        assert (await client.get("/healthz")).status_code == 200  # and stays connected
        began_s = time.monotonic()
        await gateway.server.drain(10)
        assert LEAVE_S - 0.05 <= time.monotonic() - began_s < 10
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as client:
        tournament = await gateway.tournament(players=1)
        gateway.palio.owners.delay_s = LEAVE_S + 0.5
        gateway.api.reads._known.clear()
        gateway.api.reads._cache.clear()
        gateway.palio.owners.calls.clear()
        asking = asyncio.create_task(client.get(f"/v1/tournaments/{tournament}"))
        while not gateway.palio.owners.calls.get("view"):
            await asyncio.sleep(0.01)
        await gateway.server.drain(10)
        await asyncio.sleep(0)
        assert (await asking).status_code == 200
