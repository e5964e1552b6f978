"""The api on its port: a replica that leaves answers what is under way, and tells clients on their next request."""

from __future__ import annotations

import asyncio
import time

import httpx2
import pytest

from serve_app.api.server import ApiServer, start
from serve_app.http.server import LEAVE_S
from tests.support.gateway import Gateway, running_gateway


async def running_api(gateway: Gateway, port: int = 0) -> ApiServer:
    return await start(gateway.services, "127.0.0.1", port)


async def test_it_is_ready_when_all_is_well() -> None:
    async with running_gateway() as gateway:
        for down in (False, True):
            gateway.palio.owners.down = down
            api = await running_api(gateway)
            assert await api.ready() is not down
            await api.stop()


async def test_no_request_fails_while_replicas_take_turns() -> None:
    async with running_gateway() as gateway:
        path = f"/v1/tournaments/{await gateway.tournament(players=1)}"
        first = await running_api(gateway)
        over = asyncio.Event()
        statuses: list[int] = []

        async def read() -> None:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{first.port}", timeout=20) as client:
                while not over.is_set():
                    statuses.append((await client.get(path)).status_code)

        readers = [asyncio.create_task(read()) for _ in range(4)]
        leaving = first
        for _ in range(2):
            second = await running_api(gateway, first.port)
            await asyncio.sleep(0.2)
            await leaving.drain(2)
            await leaving.stop()
            leaving = second
        over.set()
        await asyncio.gather(*readers)
        await leaving.stop()
        assert set(statuses) == {200}


async def test_a_draining_replica_answers_and_ends_the_connection() -> None:
    async with running_gateway() as gateway:
        api = await running_api(gateway)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{api.port}") as client:
            assert "connection" not in (await client.get("/v1")).headers
            began_s = time.monotonic()
            draining = asyncio.create_task(api.drain(10))
            await asyncio.sleep(0.1)
            answer = await client.get("/v1")
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
            await draining
            assert time.monotonic() - began_s < 10  # nobody is left to wait for
        await api.stop()


async def test_draining_waits_for_what_is_under_way() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament()
        api = await running_api(gateway)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{api.port}", timeout=20) as client:
            gateway.palio.owners.delay_s = LEAVE_S + 0.5
            gateway.palio.owners.calls.clear()
            asking = asyncio.create_task(client.get(f"/v1/tournaments/{tournament}/participants/1"))
            while not gateway.palio.owners.calls:
                await asyncio.sleep(0.01)
            await api.drain(10)
            assert (await asking).status_code == 404
        await api.stop()
        with pytest.raises(RuntimeError):
            api.check()
