"""Where scopes live: which dedicated tournaments an ingest knows, and what it asks and tells the director about its owners.

The log says whose a record is: a dedicated tournament has a scope of its own from its create to the record that hands it over, and lives
with the others of its partition after that. Every ingest reads the same, whenever it begins: what is handed over and durable there it does
not know any more, and who is given one of those records once more has it already.

All of it beside the feeding: to start an owner takes a second, and a director that is away as long as it takes. What fails is asked or
told again; meanwhile the records wait in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from actors.domain.commands.create import check_create
from actors.domain.delivery import ControlItem, Item, is_claim
from actors.domain.errors import InvalidRecordError
from actors.domain.messages import Create, HandOver

logger = logging.getLogger(__name__)


class Feeding(Protocol):
    """What feeds owners."""

    def feed_scope(self, owner: str, partition: int, tournament: int, after: int = -1) -> None:
        """Feed a scope to an owner, after this offset at the latest; one that is fed already is left alone, and its feed wakes."""

    def leave_scope(self, owner: str, partition: int, tournament: int) -> None:
        """Feed a scope to an owner no more."""

    def wake(self) -> None:
        """What the feeds waited for has come."""


class Director(Protocol):
    """The director as ingest asks it; every call may raise anything."""

    async def placements(self, partition: int) -> Mapping[int, str]:
        """The owner of each dedicated tournament of a partition that is stored and not handed over."""

    async def handed_over(self, partition: int, tournament: int) -> bool:
        """Whether a tournament is handed over to the shared scope of its partition, and that is durable."""

    async def host(self, partition: int, tournament: int, after: int) -> str | None:
        """The owner of a scope, which is started if there is none; it is to be fed after this offset at the latest. None for that of a
        tournament which is handed over."""

    async def closed(self, partition: int, tournament: int) -> None:
        """A dedicated tournament is handed over, and that is durable."""


@dataclass(slots=True)
class _Own:
    """A dedicated tournament: fed from behind `after`, up to the record at `upto` that hands it over, None while that is not read.

    `sure`: it was not handed over before; a create that was read may be a repeated one. `closed`: its owner has told that all of it is durable.
    """

    partition: int
    after: int
    sure: bool
    upto: int | None = None
    owner: str = ""
    closed: bool = False

    def has(self, offset: int) -> bool:
        """Whether its record at this offset is for its own scope."""
        return self.after < offset and (self.upto is None or offset <= self.upto)

    @property
    def hold(self) -> int | None:
        """The offset beyond which the shared scope is not fed as yet, if there is one: it would pass what may be its own."""
        if not self.sure:
            return self.after
        return None if self.upto is None else self.upto - 1


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
        self._dedicated: dict[int, _Own] = {}
        self._holding: set[int] = set()  # those of them that may have a `hold`
        self._unplaced: set[int] = set()  # those of them whose owner is still being asked for
        self._closing: dict[int, tuple[int, int]] = {}  # tournament -> (partition, before its hand-over) to be told
        self._moved: dict[tuple[int, int], str] = {}  # (partition, tournament) -> the owner that does not hold it
        self._to_tell = asyncio.Event()  # there is something to ask or to tell the director
        self._to_ask = asyncio.Event()  # there is something to make sure of

    async def load(self, partition: int) -> Mapping[int, str]:
        """The stored dedicated tournaments of a partition, with their owners. Raises what the director raises."""
        return await self._director.placements(partition)

    def begin(self, partition: int, owners: Mapping[int, str]) -> None:
        """A partition is about to be read from the committed offset on: feed what was stored there, and nothing else."""
        for tournament in [t for t, own in self._dedicated.items() if own.partition == partition and t not in owners]:
            self._hand_over(tournament)
        for tournament, owner in owners.items():
            if tournament not in self._dedicated:
                self._dedicated[tournament] = _Own(partition, -1, sure=True)
                self._feed(tournament, owner)

    def meet(self, partition: int, item: ControlItem) -> None:
        """A record was read: the create of a dedicated tournament makes a scope that needs an owner, its hand-over ends that."""
        tournament = item.tournament_id
        own = self._dedicated.get(tournament)
        if isinstance(item.message, Create) and own is None and _makes_scope(item.message):
            self._dedicated[tournament] = _Own(partition, item.offset - 1, sure=False)
            self._unplaced.add(tournament)
            self._holding.add(tournament)
            self._to_ask.set()
        elif isinstance(item.message, HandOver) and own is not None and own.upto is None:
            own.upto = item.offset
            self._holding.add(tournament)
            self._to_ask.set()
            if own.closed:
                self._hand_over(tournament)

    def belongs(self, item: Item, tournament: int) -> bool:
        """Whether a record belongs to a scope of its partition (`tournament` 0: the shared ones, whose owner reads every claim, and every
        hand-over)."""
        own = self._dedicated.get(item.tournament_id)
        if tournament:
            return item.tournament_id == tournament and (own is None or own.has(item.offset))
        if own is None or not own.has(item.offset):
            return True
        return item.offset == own.upto or is_claim(item)

    def may_go_ahead(self, item: Item, _tournament: int) -> bool:
        """Whether a record of the shared scopes may be delivered before others: not beyond a hand-over that its owner waits for."""
        return item.tournament_id not in self._dedicated

    def hold(self, partition: int) -> int | None:
        """The offset beyond which a partition's shared scope is not fed as yet, None: it may be fed all."""
        if not self._holding:
            return None
        owns = [own for t in self._holding if (own := self._dedicated[t]).partition == partition]
        return min((hold for own in owns if (hold := own.hold) is not None), default=None)

    def moved(self, owner: str, partition: int, tournament: int) -> None:
        """An owner does not hold a scope: the director is asked who does."""
        self._moved[partition, tournament] = owner
        self._to_tell.set()

    def closed(self, owner: str, partition: int, tournament: int) -> None:
        """All of a dedicated tournament is durable: once its hand-over is read here, too, its records belong to the shared scope."""
        own = self._dedicated.get(tournament)
        if own is None:
            self._feeding.leave_scope(owner, partition, tournament)
            return
        own.closed = True
        if own.upto is not None:
            self._hand_over(tournament)

    @property
    def unplaced(self) -> list[tuple[int, int]]:
        """(partition, offset) after which a dedicated tournament waits for its owner, or for the director to hear that it is handed over:
        nothing beyond may be committed."""
        waiting = [(own.partition, own.after) for own in map(self._dedicated.__getitem__, self._unplaced)]
        return waiting + list(self._closing.values())

    async def run(self) -> None:
        """Ask and tell, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._make_sure())
            tasks.create_task(self._ask_and_tell())

    async def _ask_and_tell(self) -> None:
        while True:
            await self._to_tell.wait()
            self._to_tell.clear()
            await self._place()
            await self._find_moved()
            await self._tell_closed()
            if self._unplaced or self._moved or self._closing:
                await self._sleep(self._retry_s)
                self._to_tell.set()

    async def _make_sure(self) -> None:
        """While a shared scope is held, ask beside all else whether what it is held for is handed over: the create that was read may be a
        repeated one, and an owner that has nothing left to do may have ended before it told this ingest."""
        while True:
            await self._to_ask.wait()
            self._to_ask.clear()
            for tournament in list(self._holding):
                own = self._dedicated.get(tournament)
                if own is None:
                    continue
                question = self._director.handed_over(own.partition, tournament)
                handed_over = await self._ask(question, f"tournament {tournament}")
                if handed_over is None or self._dedicated.get(tournament) is not own:
                    continue
                if handed_over:
                    self._hand_over(tournament)
                elif not own.sure:
                    own.sure = True
                    if own.upto is None:
                        self._holding.discard(tournament)
                    self._feeding.wake()
                    self._to_tell.set()
            if self._holding:
                await self._sleep(self._retry_s)
                self._to_ask.set()

    def _feed(self, tournament: int, owner: str) -> None:
        own = self._dedicated[tournament]
        if own.owner not in ("", owner):
            self._feeding.leave_scope(own.owner, own.partition, tournament)
        own.owner = owner
        self._feeding.feed_scope(owner, own.partition, tournament, own.after)

    def _forget(self, tournament: int) -> None:
        """A tournament is one of the shared ones, and durable as it was before that."""
        own = self._dedicated.pop(tournament)
        if own.owner:
            self._feeding.leave_scope(own.owner, own.partition, tournament)
        self._holding.discard(tournament)
        self._unplaced.discard(tournament)
        self._moved.pop((own.partition, tournament), None)
        self._feeding.wake()

    def _hand_over(self, tournament: int) -> None:
        own = self._dedicated[tournament]
        self._forget(tournament)
        # a director that hosts it still would name it to the next ingest, which then waits in vain for the hand-over
        self._closing[tournament] = (own.partition, own.after if own.upto is None else own.upto - 1)
        self._to_tell.set()

    async def _place(self) -> None:
        for tournament in list(self._unplaced):
            own = self._dedicated.get(tournament)
            if own is None or not own.sure:
                continue
            await self._find_owner(tournament, own)

    async def _find_owner(self, tournament: int, own: _Own) -> None:
        answer = await self._owner_of(own.partition, tournament, own.after)
        if answer is None or self._dedicated.get(tournament) is not own:
            return
        (owner,) = answer
        if owner is None:
            self._forget(tournament)
            return
        self._unplaced.discard(tournament)
        self._moved.pop((own.partition, tournament), None)
        self._feed(tournament, owner)

    async def _find_moved(self) -> None:
        for (partition, tournament), owner in list(self._moved.items()):
            own = self._dedicated.get(tournament)
            if own is not None:
                await self._find_owner(tournament, own)
            elif tournament:  # it was handed over, before or meanwhile
                self._moved.pop((partition, tournament), None)
                self._feeding.leave_scope(owner, partition, tournament)
            elif (answer := await self._owner_of(partition, 0, -1)) is not None and answer[0] is not None:
                self._moved.pop((partition, 0), None)
                if answer[0] != owner:
                    self._feeding.leave_scope(owner, partition, 0)
                self._feeding.feed_scope(answer[0], partition, 0)

    async def _tell_closed(self) -> None:
        """Else the actors of these tournaments would stay for nothing."""
        for tournament, (partition, _) in list(self._closing.items()):
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._director.closed(partition, tournament)
            except Exception as error:  # whatever the director's trouble is, it holds up nothing here
                logger.warning("the director was not told that tournament %d is handed over: %r", tournament, error)
                continue
            self._closing.pop(tournament, None)

    async def _owner_of(self, partition: int, tournament: int, after: int) -> tuple[str | None] | None:
        """Whom the director names as a scope's owner; None when it does not within its time."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return (await self._director.host(partition, tournament, after),)
        except Exception as error:  # whatever the director's trouble is, the records wait in the log
            logger.warning(
                "no owner yet for %s of partition %d: %r", tournament or "the shared scope", partition, error
            )
            return None

    async def _ask(self, question: Awaitable[bool], about: str) -> bool | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await question
        except Exception as error:  # as above
            logger.warning("it is not known yet whether %s is handed over: %r", about, error)
            return None


def _makes_scope(create: Create) -> bool:
    """Whether a create that is the first of its tournament gives it a scope of its own. One that is rejected does not: nobody could ever hand
    that over. It is the shared scope's to reject."""
    if not create.dedicated:
        return False
    try:
        check_create(create)
    except InvalidRecordError:
        return False
    return True
