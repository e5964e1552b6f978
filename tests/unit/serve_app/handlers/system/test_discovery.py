from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.front import LATER, Front, open_front, problem


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def test_where_the_gateway_is(front: Front) -> None:
    told = (await front.call("GET", "/v1")).json()
    assert (told["gateway"], told["live"]) == ("http://127.0.0.1:8001", "ws://127.0.0.1:8001/v1/live")
    assert told["time"] == front.palio.now_ms


async def test_demo_players(front: Front) -> None:
    assert problem(await front.call("POST", "/v1/demo/player")) == (404, "not_found")
    async with open_front(demo=True) as demo:
        made = [(await demo.call("POST", "/v1/demo/player", json={})).json() for _ in range(2)]
        assert made[0]["user_id"] != made[1]["user_id"]
        tournament = await demo.create()
        token = {"authorization": f"Bearer {made[0]['token']}"}
        joined = await demo.call("PUT", f"/v1/tournaments/{tournament}/participants/me", token, json={"name": "x"})
        assert joined.json()["user_id"] == made[0]["user_id"]
        assert problem(await demo.call("POST", "/v1/tournaments", token, json=LATER)) == (403, "role_forbidden")
