"""A replica on its port: taken, shared, and left while another one goes on; no client notices but those with live sockets, who are told."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import sys
import time
from typing import Any

import httpx2
import pytest

from cluster.config.settings import PROJECT_DIR
from serve_app.gateway.app import GatewayApp
from serve_app.gateway.server import GatewayServer, start
from serve_app.http.server import LEAVE_S
from serve_app.live.hub import Hub
from serve_app.live.limits.bounds import HubLimits
from tests.support.gateway import WAIT_S, Gateway, running_gateway
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop


async def another(gateway: Gateway) -> GatewayServer:
    """A second replica on the port, with a hub of its own."""
    hub = Hub(gateway.palio.owners, gateway.palio.updates, HubLimits(), gateway.palio.read_model)
    return await start(GatewayApp(gateway.services, hub), "127.0.0.1", gateway.server.port)


async def test_no_request_fails_while_replicas_take_turns() -> None:
    async with running_gateway() as gateway:
        path = f"/v1/tournaments/{await gateway.tournament(players=1)}"
        port = gateway.server.port
        first = await another(gateway)
        # In a process of their own: here they would hold the interpreter between the steps of a drain that belong together.
        # Which replica a connection comes to is the kernel's choice: of a dozen that stay, some are with one that leaves.
        command = [sys.executable, "-m", "tests.support.http_readers", str(port), path, f"{path}?lane=asgi"]
        pipe = asyncio.subprocess.PIPE
        readers = await asyncio.create_subprocess_exec(*command, cwd=PROJECT_DIR, stdin=pipe, stdout=pipe)
        await asyncio.sleep(0.5)
        for _ in range(3):
            second = await another(gateway)
            await asyncio.sleep(0.2)
            await first.drain(2)
            await first.stop()
            first = second
        printed, _ = await readers.communicate(b"")  # without an input 3.11 leaves the pipe open
        await first.stop()
        found = json.loads(printed)
        assert set(found["seen"]) == {"200"}, found
        assert found["told_to_leave"]


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


class Leaving:
    """A listener, while it leaves: 30 clients connect after the last of those before were accepted, and before it is closed."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.clients: list[socket.socket] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.listener, name)

    def shutdown(self, how: int) -> None:
        for _ in range(30):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(self.listener.getsockname())
            self.clients.append(client)
        self.listener.shutdown(how)


async def test_who_connects_while_the_port_is_left_is_answered_by_another() -> None:
    """They were reset: between the last one accepted and the end of the listener there is always a moment."""
    async with running_gateway() as gateway:
        leaving = await another(gateway)
        leaving._listener = listener = Leaving(leaving._listener)  # type: ignore[assignment]
        await leaving.drain(0)
        loop = asyncio.get_running_loop()
        for client in listener.clients:
            async with asyncio.timeout(WAIT_S):
                await loop.sock_sendall(client, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await loop.sock_recv(client, 1024)).startswith(b"HTTP/1.1 200 ")
            client.close()
        await leaving.stop()


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
        gateway.services.reads._known.clear()
        gateway.services.reads._cache.clear()
        gateway.palio.owners.calls.clear()
        asking = asyncio.create_task(client.get(f"/v1/tournaments/{tournament}"))
        while not gateway.palio.owners.calls.get("view"):
            await asyncio.sleep(0.01)
        await gateway.server.drain(10)
        await asyncio.sleep(0)
        assert (await asking).status_code == 200


async def test_stopping_answers_what_is_under_way() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        tournament = await gateway.tournament(players=1)
        gateway.palio.owners.delay_s = 0.2
        gateway.services.reads._known.clear()
        gateway.services.reads._cache.clear()
        gateway.palio.owners.calls.clear()
        asking = asyncio.create_task(http.get(f"/v1/tournaments/{tournament}"))
        async with asyncio.timeout(WAIT_S):
            while not gateway.palio.owners.calls.get("view"):
                await asyncio.sleep(0)
        await gateway.server.drain(0)
        with socket.socket() as late:
            assert late.connect_ex(("127.0.0.1", gateway.server.port)) != 0  # other replicas get the new connections
        await gateway.server.stop()
        assert (await asking).status_code == 200
        with pytest.raises(httpx2.ConnectError):
            async with httpx2.AsyncClient(base_url=gateway.url) as another:
                await another.get("/healthz")
        with pytest.raises(RuntimeError):
            gateway.server.check()
