"""What an owner answers: views, rankings, participants, live snapshots, standings. Pure reads; nothing here changes a tournament."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain import views
from actors.owner.entity import Entity
from actors.owner.owner import Owner
from actors.owner.publisher import Publisher
from storage.ports import (
    LiveSnapshot,
    OwnerMovedError,
    OwnerUnavailableError,
    RankingsQuery,
    Reply,
    Standing,
)

NOT_FOUND = Reply(found=False)


class OwnerReads:
    """Reads over an owner. `partition_of` tells a tournament's partition."""

    def __init__(self, owner: Owner, publisher: Publisher) -> None:
        self._owner = owner
        self._publisher = publisher

    async def entity(self, partition: int, tournament_id: int) -> Entity | None:
        """The entity, or None when there is no such tournament.

        Raises OwnerMovedError (not held here) and OwnerUnavailableError (not caught up yet, or the store does not answer).
        """
        scope = self._owner.holdings.scope_of(partition, tournament_id)
        if scope is None:
            raise OwnerMovedError(f"partition {partition} is not held by {self._owner.name}")
        if not scope.ready:
            raise OwnerUnavailableError(f"{self._owner.name} is catching up with partition {partition}")
        return await self._owner.holdings.find(tournament_id, scope)

    async def view(self, partition: int, tournament_id: int, viewer: int | None) -> Reply:
        """As `Owners.view`."""
        entity = await self.entity(partition, tournament_id)
        if entity is None:
            return NOT_FOUND
        return await self._publisher.settled(entity, lambda: _reply(entity, viewer, entity.view()))

    async def rankings(self, partition: int, tournament_id: int, query: RankingsQuery, viewer: int | None) -> Reply:
        """As `Owners.rankings`; not found also when `around` has no rank."""
        entity = await self.entity(partition, tournament_id)
        if entity is None:
            return NOT_FOUND
        return await self._publisher.settled(entity, lambda: _rankings(entity, query, viewer))

    async def participant(self, partition: int, tournament_id: int, user_id: int, viewer: int | None) -> Reply:
        """As `Owners.participant`; not found also for one who does not take part."""
        entity = await self.entity(partition, tournament_id)
        if entity is None:
            return NOT_FOUND
        slot = entity.state.members.slot(user_id)
        shown = views.participant(entity.state, user_id, entity.previous_ranks.get(slot))
        return NOT_FOUND if shown is None else _reply(entity, viewer, views.encode(shown))

    async def prizes(self, partition: int, tournament_id: int, viewer: int | None) -> Reply:
        """As `Owners.prizes`: tournaments carry no prizes yet."""
        entity = await self.entity(partition, tournament_id)
        return NOT_FOUND if entity is None else _reply(entity, viewer, b'{"prizes":[]}')

    async def live(self, partition: int, tournament_id: int, viewer: int | None) -> LiveSnapshot:
        """As `Owners.live`: the data as last published, so that the next update's patch fits it."""
        entity = await self.entity(partition, tournament_id)
        if entity is None:
            return LiveSnapshot(found=False)
        self._publisher.watch(entity)
        if entity.published is None:
            self._publisher.start_live(entity)
        return LiveSnapshot(
            found=True,
            public=entity.state.spec.visibility == "public",
            allowed=entity.allows(viewer),
            epoch=entity.scope.epoch,
            seq=entity.seq,
            data=views.encode(entity.published),
            recent=tuple(entity.recent),
        )

    async def standings(self, partition: int, tournament_id: int, users: Sequence[int]) -> list[Standing]:
        """As `Owners.standings`."""
        entity = await self.entity(partition, tournament_id)
        if entity is None:
            return []
        state = entity.state
        slots = [(user, slot) for user in users if (slot := state.members.slot(user)) >= 0]
        ranking = state.ranking
        return [Standing(u, ranking.rank(s), ranking.score(s), ranking.percentile(s)) for u, s in slots]

    async def positions(self, wanted: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """(epoch, seq) of each (partition, tournament) that is at hand here and caught up."""
        found: dict[int, tuple[int, int]] = {}
        for partition, tournament_id in wanted:
            scope = self._owner.holdings.scope_of(partition, tournament_id)
            entity = self._owner.holdings.at_hand(tournament_id)
            if scope is not None and scope.ready and entity is not None:
                self._publisher.watch(entity)  # who asks this watches it
                found[tournament_id] = entity.position()
        return found


def _rankings(entity: Entity, query: RankingsQuery, viewer: int | None) -> Reply:
    start, limit, around, users = query
    at = entity.scope.epoch, entity.shown_seq, entity.status
    page = views.rankings(entity.state, start, limit, around, users, *at)
    return NOT_FOUND if page is None else _reply(entity, viewer, views.encode(page))


def _reply(entity: Entity, viewer: int | None, body: bytes) -> Reply:
    return Reply(
        found=True,
        public=entity.state.spec.visibility == "public",
        allowed=entity.allows(viewer),
        body=body,
        etag=entity.etag(),
        status=entity.status,
        epoch=entity.scope.epoch,
        seq=entity.shown_seq,
        offset=entity.state.offset,
    )
