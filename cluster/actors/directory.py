"""`RayOwners`: the Owners port over named actors: routing by the plan and the director's routes, with a circuit for owners that are away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from ray.exceptions import RayActorError, RayError

from actors.director.director import Plan
from actors.domain.values import partition_of
from cluster.actors.handles import Handles
from cluster.actors.read_batches import ReadBatches
from cluster.startup.ports import DIRECTOR
from storage.ports import (
    OwnerMovedError,
    OwnerRecordsError,
    OwnerUnavailableError,
    Query,
    RecordsUnavailableError,
)

A = TypeVar("A")
logger = logging.getLogger(__name__)

DOWN_S: Final = 0.25  # after a failed call an owner is left alone this long: reads fall back at once
PARTITIONS_KEPT: Final = 65_536  # murmur2 in Python costs 5 us


class RayOwners:
    """See the module; `timeout_s` bounds every call."""

    def __init__(self, plan: Plan, timeout_s: float) -> None:
        self._plan = plan
        self._timeout_s = timeout_s
        self._handles = Handles()
        self._batches = ReadBatches(self._call)
        self._dedicated: dict[int, str] = {}
        self._partitions: dict[int, int] = {}
        self._down_until: dict[str, float] = {}
        self._refreshing: asyncio.Task[None] | None = None

    def partition(self, tournament_id: int) -> int:
        """The partition of a tournament."""
        partition = self._partitions.get(tournament_id)
        if partition is None:
            if len(self._partitions) >= PARTITIONS_KEPT:
                self._partitions.clear()
            partition = self._partitions[tournament_id] = partition_of(tournament_id, self._plan.partitions)
        return partition

    async def read(self, tournament_id: int, query: Query[A]) -> A:
        """As Owners.read."""
        partition = self.partition(tournament_id)
        for last in (False, True):
            owner = self._owner(partition, tournament_id)
            try:
                return await self._batches.read(owner, partition, tournament_id, query)  # type: ignore[no-any-return]
            except OwnerMovedError:
                if last:
                    break
                await self._refresh()
            except OwnerUnavailableError:
                # a dedicated owner that has ended is no longer in the routes
                if last or tournament_id not in self._dedicated or not await self._refreshed_from(owner, tournament_id):
                    raise
        raise OwnerUnavailableError(f"tournament {tournament_id} is moving")

    async def positions(self, tournament_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """As Owners.positions: one call an owner; those of owners that are away are left out."""
        by_owner: dict[str, list[tuple[int, int]]] = {}
        for tournament_id in tournament_ids:
            partition = self.partition(tournament_id)
            by_owner.setdefault(self._owner(partition, tournament_id), []).append((partition, tournament_id))
        answers = await asyncio.gather(
            *(self._call(owner, "positions", wanted) for owner, wanted in by_owner.items()), return_exceptions=True
        )
        found: dict[int, tuple[int, int]] = {}
        for answer in answers:
            if isinstance(answer, dict):
                found.update(answer)
            elif not isinstance(answer, OwnerUnavailableError):
                raise answer
        return found

    async def resolve_placement(self, tournament_id: int, placement: str, capacity: int | None) -> bool:
        """As Owners.resolve_placement: a pure function of the create and the settings."""
        del tournament_id
        return self._plan.wants_dedicated(placement, capacity)

    def _owner(self, partition: int, tournament_id: int) -> str:
        return self._dedicated.get(tournament_id) or self._plan.shard_of(partition)

    async def _refreshed_from(self, owner: str, tournament_id: int) -> bool:
        await self._refresh()
        return self._dedicated.get(tournament_id) != owner

    async def _call(self, owner: str, method: str, *args: Any) -> Any:
        now = asyncio.get_running_loop().time()
        if self._down_until.get(owner, 0.0) > now:
            raise OwnerUnavailableError(f"{owner} is away")
        try:
            # not asyncio.wait_for: before Python 3.12 it may swallow a cancellation
            async with asyncio.timeout(self._timeout_s):
                answer = await self._handles.call(owner, method, *args)
        except (OwnerMovedError, OwnerUnavailableError):
            raise
        except RecordsUnavailableError as error:  # of one tournament, on one shard: its others are as well as before
            raise OwnerRecordsError(f"{owner} cannot read the tournament: {error}") from error
        except (RayActorError, ValueError, TimeoutError, RayError) as error:
            self._down_until[owner] = asyncio.get_running_loop().time() + DOWN_S
            raise OwnerUnavailableError(f"{owner} did not answer: {type(error).__name__}") from error
        self._down_until.pop(owner, None)
        return answer

    async def _refresh(self) -> None:
        """Fetch the routes, once for all who wait."""
        if self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(self._fetch_routes())
        try:
            await asyncio.shield(self._refreshing)
        finally:
            if self._refreshing is not None and self._refreshing.done():
                self._refreshing = None

    async def _fetch_routes(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                self._dedicated = await self._handles.call(DIRECTOR, "routes")
        except (RayError, ValueError, TimeoutError) as error:
            logger.warning("the director did not give its routes: %r", error)
