"""A page's way: the view by REST, a subscription since its position, then the updates. Between two updates a view is ahead of them."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx2

from tests.support.gateway import WAIT_S, Gateway, live_of, running_gateway
from tests.support.paced import paced

PLAYERS = 40
FOLLOWERS = 25


async def follow(gateway: Gateway, http: httpx2.AsyncClient, tournament: str, over: asyncio.Event) -> list[str]:
    """The whole way; returns the types of what came. At the end the data is what REST shows."""
    shown = (await http.get(f"/v1/tournaments/{tournament}")).json()
    position = shown["position"]
    async with gateway.client() as live:
        live.data[tournament] = live_of(shown)
        live.positions[tournament] = (position["epoch"], position["seq"])
        assert (await live.ask(subscribe=tournament, since=position))[
            "ok"
        ]  # and each update must follow the one before
        receiving = asyncio.create_task(receive_all(live))
        await over.wait()
        final = await settled(http, tournament)
        async with asyncio.timeout(WAIT_S):
            while live.data[tournament] != live_of(final):
                await asyncio.sleep(0.01)
                assert not receiving.done(), receiving.exception()
        assert live.positions[tournament] == (final["position"]["epoch"], final["position"]["seq"])
        receiving.cancel()
        return [message["type"] for message in live.seen if "type" in message]


async def receive_all(live: Any) -> None:
    while True:
        await live.receive()


async def settled(http: httpx2.AsyncClient, tournament: str) -> dict[str, Any]:
    """The view once nothing moves it."""
    shown: dict[str, Any] = {}
    while True:
        before, shown = shown, (await http.get(f"/v1/tournaments/{tournament}")).json()
        if shown == before:
            return shown
        await asyncio.sleep(0.06)


async def test_rest_then_the_updates_since_its_position_is_what_rest_shows_under_load() -> None:
    rng = random.Random(3)
    async with (
        paced() as palio,
        running_gateway(palio=palio, view_cache_ms=20) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, timeout=WAIT_S) as http,
    ):
        tournament = await gateway.tournament(players=PLAYERS, score_policy="last")
        over = asyncio.Event()

        async def play() -> None:
            while not over.is_set():
                if rng.random() < 0.05:
                    await gateway.leave(tournament, user := rng.randint(1, PLAYERS))
                    await gateway.join(tournament, user)
                await gateway.score(tournament, rng.randint(1, PLAYERS), rng.randint(0, 30))
                await asyncio.sleep(0.001)

        async with asyncio.TaskGroup() as group:
            group.create_task(play())
            following = []
            for _ in range(FOLLOWERS):
                following.append(group.create_task(follow(gateway, http, tournament, over)))
                await asyncio.sleep(0.03)
            over.set()
        seen = [task.result() for task in following]
        went_on = [kinds for kinds in seen if "snapshot" not in kinds]
        assert sum("update" in kinds for kinds in went_on) >= FOLLOWERS // 2, seen


async def test_a_position_without_an_update_begins_with_a_snapshot() -> None:
    async with running_gateway() as gateway, gateway.client() as live:
        tournament = await gateway.tournament(players=2)
        await gateway.score(tournament, 1, 5)
        await live.watch(tournament, since={"epoch": 1, "seq": -1, "offset": 3})
        assert live.data[tournament] == gateway.data(tournament)
