"""An in-process Palio whose updates are paced and whose reads are answered as by an owner: between two updates reads are ahead of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from actors.domain.tournament import Tournament
from actors.owner.change import Change
from actors.owner.entity import Entity, Scope
from actors.owner.publisher import Publisher
from actors.owner.reads import OwnerReads
from serve_app.services.container import wall_clock_ms
from storage.ports import LiveQuery, ParticipantQuery, Query, RankingsQuery, ViewQuery
from tests.support.inprocess import InProcessOwners, InProcessPalio
from tests.support.inprocess_records import EPOCH

INTERVAL_MS = 50


class PacedPalio(InProcessPalio):
    """See the module. To be run by `paced`."""

    def __init__(self) -> None:
        super().__init__(now_ms=wall_clock_ms())
        self.publisher = Publisher(self.updates, wall_clock_ms, INTERVAL_MS)
        self.reads = OwnerReads(None, self.publisher)  # type: ignore[arg-type]  # which is asked for who may see what alone
        self.entities: dict[int, Entity] = {}
        self.owners = PacedOwners(self)

    def entity(self, state: Tournament) -> Entity:
        """A tournament as its owner holds it. All is durable at once."""
        entity = self.entities.get(state.tournament_id)
        if entity is None:
            scope = Scope(state.partition, 0, EPOCH, watermark=2**60, durable=-1)
            entity = self.entities[state.tournament_id] = Entity(state, scope)
        entity.durable_offset = state.offset
        return entity

    async def _publish(self, tournament_id: int, users: set[int]) -> None:
        entity = self.entity(self.states[tournament_id])
        slot_of = entity.state.members.users.slot
        self.publisher.note(Change(entity, {slot_of(user): user for user in users}, top=True))

    async def publish_regularly(self) -> None:
        """As an owner's process does."""
        while True:
            self.publisher.wake.clear()
            due_ms = await self.publisher.publish_due()
            try:
                async with asyncio.timeout(None if due_ms is None else due_ms / 1000):
                    await self.publisher.wake.wait()
            except TimeoutError:
                pass


class PacedOwners(InProcessOwners):
    """Reads as an owner answers them."""

    def __init__(self, palio: PacedPalio) -> None:
        super().__init__(palio)
        self._paced = palio

    async def read(self, tournament_id: int, query: Query[Any]) -> Any:
        state = self._paced.states.get(tournament_id)
        if state is None or not isinstance(query, ViewQuery | RankingsQuery | ParticipantQuery | LiveQuery):
            return await super().read(tournament_id, query)
        return await self._paced.reads.answer(self._paced.entity(state), query)

    async def positions(self, tournament_ids: Any) -> dict[int, tuple[int, int]]:
        return {
            number: entity.position() for number, entity in self._paced.entities.items() if number in tournament_ids
        }


@asynccontextmanager
async def paced() -> AsyncIterator[PacedPalio]:
    """A paced Palio that publishes."""
    palio = PacedPalio()
    publishing = asyncio.create_task(palio.publish_regularly())
    try:
        yield palio
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
