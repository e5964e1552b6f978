"""The hub's calls to owners: a bounded number at once, whatever the number of tournaments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, TypeVar

from storage.ports import OwnerMovedError, Owners, OwnerUnavailableError, Query

AWAY: Final = (OwnerUnavailableError, OwnerMovedError)  # no answer now; a later one may come

A = TypeVar("A")


class OwnerCalls:
    """`Owners` with at most `at_once` calls under way; the others wait."""

    def __init__(self, owners: Owners, at_once: int) -> None:
        self._owners = owners
        self._room = asyncio.Semaphore(at_once)

    async def read(self, tournament_id: int, query: Query[A]) -> A:
        """See `Owners.read`."""
        async with self._room:
            return await self._owners.read(tournament_id, query)

    async def positions(self, tournament_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """See `Owners.positions`."""
        async with self._room:
            return await self._owners.positions(tournament_ids)
