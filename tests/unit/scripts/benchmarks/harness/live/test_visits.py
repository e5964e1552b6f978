"""The visitors that `bench connections` sends to a gateway."""

from __future__ import annotations

import asyncio

from scripts.benchmarks.harness.live import visits as live_visits
from scripts.benchmarks.harness.live.visits import Place, visit
from serve_app.metrics import DELIVERED
from tests.support.gateway import WAIT_S, running_gateway


async def test_waves_come_watch_and_leave() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1, score_policy="last")
        place = Place(gateway.server.port, tournament, 1, gateway.token(role="service"))
        before = DELIVERED._value.get()
        received = await visit(place, 248, 4, live_visits.ABRUPTLY + 1, 0.2, 50.0)
        assert received > 0
        assert DELIVERED._value.get() - before >= 4 * (live_visits.ABRUPTLY + 1)
        async with asyncio.timeout(WAIT_S):
            while gateway.hub.sockets:
                await asyncio.sleep(0.01)


async def test_nobody_scores_unless_told_to() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        place = Place(gateway.server.port, tournament, 1, gateway.token(role="service"))
        assert await visit(place, 0, 1, 2, 0.05, 0.0) == 0
