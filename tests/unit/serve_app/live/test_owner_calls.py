from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from serve_app.live.owner_calls import AWAY, OwnerCalls
from storage.ports import OwnerUnavailableError, Query, Reply, ViewQuery


class Held:
    """Owners that answer when they are let, and count who asks at once."""

    def __init__(self) -> None:
        self.asking = 0
        self.most = 0
        self.free = asyncio.Event()

    async def _ask(self) -> None:
        self.asking += 1
        self.most = max(self.most, self.asking)
        try:
            await self.free.wait()
        finally:
            self.asking -= 1

    async def read(self, tournament_id: int, query: Query[Any]) -> Any:
        await self._ask()
        if tournament_id == 13:
            raise OwnerUnavailableError("13")
        return Reply(found=True, body=b"%d" % tournament_id)

    async def positions(self, tournament_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        await self._ask()
        return {each: (1, each) for each in tournament_ids}

    async def resolve_placement(self, tournament_id: int, placement: str, capacity: int | None) -> bool:
        raise NotImplementedError


async def test_calls_of_both_kinds_share_the_bound_and_all_are_answered() -> None:
    owners = Held()
    calls = OwnerCalls(owners, 3)
    reads = [asyncio.create_task(calls.read(n, ViewQuery())) for n in range(5)]
    asked = [asyncio.create_task(calls.positions([n])) for n in range(5)]
    await asyncio.sleep(0.005)
    assert owners.asking == 3
    owners.free.set()
    assert await asyncio.gather(*reads) == [Reply(found=True, body=b"%d" % n) for n in range(5)]
    assert await asyncio.gather(*asked) == [{n: (1, n)} for n in range(5)]
    assert owners.most == 3


async def test_errors_and_cancellations_give_their_room_back() -> None:
    owners = Held()
    calls = OwnerCalls(owners, 1)
    waiting = asyncio.create_task(calls.read(1, ViewQuery()))
    await asyncio.sleep(0)
    waiting.cancel()
    owners.free.set()
    with pytest.raises(AWAY):
        await calls.read(13, ViewQuery())
    async with asyncio.timeout(5):
        assert await calls.positions([2]) == {2: (1, 2)}
