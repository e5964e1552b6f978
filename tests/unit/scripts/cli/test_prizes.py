"""`scripts/palio prizes`."""

from __future__ import annotations

import asyncio
import json

from actors.prizes.settler import Settler
from tests.support.commands import Command
from tests.support.front import Front

RULES = [
    {"ranks": [1, 1], "amount": "100.01", "currency": "EUR", "ties": "split"},
    {"ranks": [1, 1], "item": "mug", "count": 3, "ties": "each"},
]


async def test_prizes_are_shown_approved_and_revoked(command: Command, front: Front) -> None:
    without = await front.create()
    assert (await command("prizes", without)).last == "the tournament has no prizes"
    tournament = await front.create(prizes=RULES)
    await front.join(tournament, 42)
    await front.submit(tournament, 42, {"event_id": "e", "score": 5})
    assert "nobody has won yet" in (await command("prizes", tournament)).last
    await command("end", tournament)

    async def settle() -> None:
        while True:  # an approval waits for the ledger, too
            await Settler(front.palio.records, front.palio.prizes, front.palio.clock_ms).round()
            await asyncio.sleep(0.01)

    settling = asyncio.create_task(settle())
    shown = (await command("prizes", tournament)).out.splitlines()
    assert shown[1:] == ["42  1  0  100.01 EUR  pending_review  -", "42  1  1  3 x mug  pending_review  -"]
    await command("prizes", tournament, "approve", "--user", 42, "--rule", 0)
    revoked = await command("prizes", tournament, "revoke", "--rule", 1, "--user", 42, "--reason", "lost", "--json")
    settling.cancel()
    winners = json.loads(revoked.out)["winners"]
    assert [(winner["state"], winner["reason"]) for winner in winners] == [("approved", None), ("revoked", "lost")]
