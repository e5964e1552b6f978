"""Where scopes live: which dedicated tournaments an ingest knows, and what it asks and tells the director about its owners.

All of it beside the feeding: to start an owner takes a second, and a director that is away as long as it takes. What fails is asked or
told again; meanwhile the records wait in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from actors.domain.delivery import ControlItem, Item, is_claim
from actors.domain.messages import Create

logger = logging.getLogger(__name__)


class Feeding(Protocol):
    """What feeds owners."""

    def feed_scope(self, owner: str, partition: int, tournament: int, after: int = -1) -> None:
        """Feed a scope to an owner, after this offset at the latest; one that is fed already is left alone, and its feed wakes."""

    def leave_scope(self, owner: str, partition: int, tournament: int) -> None:
        """Feed a scope to an owner no more."""


class Director(Protocol):
    """The director as ingest asks it; every call may raise anything."""

    async def placements(self, partition: int) -> Mapping[int, str]:
        """The owner of each dedicated tournament of a partition that is stored and not over."""

    async def host(self, partition: int, tournament: int, after: int) -> str:
        """The owner of a scope, which is started if there is none; it is to be fed after this offset at the latest."""

    async def closed(self, partition: int, tournament: int) -> None:
        """A dedicated tournament is over and durable."""


class Placement:
    """See the module. `timeout_ms` for each call, `retry_ms` between rounds while something failed; `sleep(seconds)` is the clock's wait."""

    def __init__(
        self,
        director: Director,
        feeding: Feeding,
        *,
        timeout_ms: int,
        retry_ms: int,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._director = director
        self._feeding = feeding
        self._timeout_s = timeout_ms / 1000
        self._retry_s = retry_ms / 1000
        self._sleep = sleep
        self._dedicated: dict[int, tuple[int, int]] = {}  # tournament -> (partition, fed from after this offset)
        self._unplaced: set[int] = set()  # dedicated tournaments whose owner is still being asked for
        self._closing: dict[int, int] = {}  # tournament -> partition: closed, and the director does not know yet
        self._moved: dict[tuple[int, int], str] = {}  # (partition, tournament) -> the owner that does not hold it
        self._to_tell = asyncio.Event()  # there is something to ask or to tell the director

    async def load(self, partition: int) -> None:
        """Feed the stored dedicated tournaments of a partition, too. Raises what the director raises."""
        for tournament, owner in (await self._director.placements(partition)).items():
            if tournament not in self._dedicated:
                self._dedicated[tournament] = (partition, -1)
                self._feeding.feed_scope(owner, partition, tournament)

    def meet(self, partition: int, item: ControlItem) -> None:
        """A record was read: the create of a dedicated tournament makes a scope that needs an owner."""
        if not (isinstance(item.message, Create) and item.message.dedicated):
            return
        tournament = item.tournament_id
        if tournament not in self._dedicated:
            self._dedicated[tournament] = (partition, item.offset - 1)
            self._unplaced.add(tournament)
            self._to_tell.set()

    def belongs(self, item: Item, tournament: int) -> bool:
        """Whether a record belongs to a scope of its partition (`tournament` 0: the shared ones, whose owner reads every claim)."""
        if tournament:
            return item.tournament_id == tournament
        return item.tournament_id not in self._dedicated or is_claim(item)

    def moved(self, owner: str, partition: int, tournament: int) -> None:
        """An owner does not hold a scope: the director is asked who does."""
        self._moved[partition, tournament] = owner
        self._to_tell.set()

    def closed(self, owner: str, partition: int, tournament: int) -> None:
        """A dedicated tournament is over and durable: its later records belong to the partition's shared scope."""
        self._feeding.leave_scope(owner, partition, tournament)
        self._dedicated.pop(tournament, None)
        self._unplaced.discard(tournament)
        self._moved.pop((partition, tournament), None)
        self._closing[tournament] = partition
        self._to_tell.set()

    @property
    def unplaced(self) -> list[tuple[int, int]]:
        """(partition, offset) after which a dedicated tournament waits for its owner: nothing beyond may be committed."""
        return [self._dedicated[tournament] for tournament in self._unplaced]

    async def run(self) -> None:
        """Ask and tell, until cancelled."""
        while True:
            await self._to_tell.wait()
            self._to_tell.clear()
            await self._place()
            await self._find_moved()
            await self._tell_closed()
            if self._unplaced or self._moved or self._closing:
                await self._sleep(self._retry_s)
                self._to_tell.set()

    async def _place(self) -> None:
        for tournament in list(self._unplaced):
            partition, after = self._dedicated[tournament]
            owner = await self._owner_of(partition, tournament, after)
            if owner is not None and tournament in self._unplaced:
                self._unplaced.discard(tournament)
                self._feeding.feed_scope(owner, partition, tournament, after)

    async def _find_moved(self) -> None:
        for (partition, tournament), owner in list(self._moved.items()):
            new_owner = None
            if not tournament or tournament in self._dedicated:
                after = self._dedicated[tournament][1] if tournament else -1
                new_owner = await self._owner_of(partition, tournament, after)
            if tournament and tournament not in self._dedicated:  # closed, before or meanwhile
                self._moved.pop((partition, tournament), None)
                self._feeding.leave_scope(owner, partition, tournament)
                continue
            if new_owner is None:
                continue
            self._moved.pop((partition, tournament), None)
            if new_owner != owner:
                self._feeding.leave_scope(owner, partition, tournament)
            self._feeding.feed_scope(new_owner, partition, tournament)

    async def _tell_closed(self) -> None:
        """Else the actors of these tournaments would stay for nothing."""
        for tournament, partition in list(self._closing.items()):
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._director.closed(partition, tournament)
            except Exception as error:  # whatever the director's trouble is, it holds up nothing here
                logger.warning("the director was not told that tournament %d is closed: %r", tournament, error)
                continue
            self._closing.pop(tournament, None)

    async def _owner_of(self, partition: int, tournament: int, after: int) -> str | None:
        """Whom the director names as a scope's owner; None when it does not within its time."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._director.host(partition, tournament, after)
        except Exception as error:  # whatever the director's trouble is, the records wait in the log
            logger.warning(
                "no owner yet for %s of partition %d: %r", tournament or "the shared scope", partition, error
            )
            return None
