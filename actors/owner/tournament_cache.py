"""What an owner holds in memory: its scopes, the active tournaments, and a bounded number of those that are over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from actors.domain.codec import decode_snapshot
from actors.domain.errors import SnapshotError
from actors.owner.entity import Entity, Scope
from storage.ports import OwnerMovedError, Records, RecordsUnavailableError, StoredSnapshot

logger = logging.getLogger(__name__)

OVER_LINGER_MS: Final = 60_000  # how long a finished tournament stays at hand for its watchers, if there is room
LOADED_AT_ONCE: Final = (
    50  # tournaments read from the records in one go: two snapshots each, shared ones of up to 0.5 MB
)
LINGER_FACTOR: Final = 4  # lingering ones may be this many times `over_kept`


class TournamentCache:
    """`over_kept` tournaments that are over stay in memory, least recently used going first; the store has them all."""

    def __init__(self, records: Records, clock_ms: Callable[[], int], over_kept: int) -> None:
        self._records = records
        self._clock_ms = clock_ms
        self._over_kept = over_kept
        self.scopes: dict[tuple[int, int], Scope] = {}
        self.active: dict[int, Entity] = {}
        self._over: dict[int, Entity] = {}

    def scope_of(self, partition: int, tournament_id: int) -> Scope | None:
        """The held scope that answers for a tournament: its own, else its partition's."""
        return self.scopes.get((partition, tournament_id)) or self.scopes.get((partition, 0))

    def at_hand(self, tournament_id: int) -> Entity | None:
        """The entity in memory, if any."""
        entity = self.active.get(tournament_id)
        if entity is None and (entity := self._over.pop(tournament_id, None)) is not None:
            self._over[tournament_id] = entity  # most recently used last
        return entity

    async def find(
        self, tournament_id: int, scope: Scope, *, created: bool = False, late: bool = False
    ) -> Entity | None:
        """The entity at hand, or one that is over loaded from the store; None when there is no such tournament.

        `created`: it is wanted for a record that makes it, a shared one, if nothing did before. `late`: for one that may change it after its
        end, so that it must be the newest. Raises RecordsUnavailableError, and
        OwnerMovedError for an active tournament that another owner holds (a dedicated one).
        """
        entity = self.at_hand(tournament_id)
        if entity is not None and late and entity.settled:
            entity = None
        if entity is None and (entity := await self._load_settled(tournament_id, scope, created, late)) is not None:
            present = self.at_hand(tournament_id)  # another task may have loaded it meanwhile
            if present is not None and not (late and present.settled):
                return present
            if not entity.state.over:
                raise OwnerMovedError(f"tournament {tournament_id} is held by another owner")
            self.place(entity)
        return entity

    async def look_up(self, tournament_id: int) -> None:
        """Take about as long as `find` does to see that there is no such tournament. Raises RecordsUnavailableError."""
        await self._records.tournament(tournament_id)

    async def _load_settled(self, tournament_id: int, scope: Scope, created: bool, late: bool) -> Entity | None:
        """As `load`, but for `late` also while the shard of a tournament that is not at hand is away (`Records.settled_snapshots`).

        Then one that is over is shown as it was at its end at least, and one that a create is about to make is not there yet. What a
        dedicated one was is known to its own owner, so anything else waits for the shard.
        """
        try:
            return await self.load(tournament_id, scope)
        except RecordsUnavailableError:
            if late:
                raise
            stored = await self._records.settled_snapshots(tournament_id)
            entity = self._decoded(tournament_id, scope, stored)
            if entity is None and not stored and created:
                return None
            if entity is None or entity.rewound or not entity.state.over:
                raise
            entity.settled = True
            return entity

    async def load(self, tournament_id: int, scope: Scope) -> Entity | None:
        """The newest readable snapshot of a tournament, or None. Raises RecordsUnavailableError.

        A damaged one is passed over with a warning; the entity then says that it is `rewound`: its scope must be fed from its offset.
        """
        return self._decoded(tournament_id, scope, await self._records.snapshots(tournament_id))

    async def load_all(self, tournament_ids: Sequence[int], scope: Scope) -> list[Entity]:
        """As `load` of many of a partition: those that there are. Others have their turn between two of them."""
        loaded: list[Entity] = []
        for first in range(0, len(tournament_ids), LOADED_AT_ONCE):
            some = tournament_ids[first : first + LOADED_AT_ONCE]
            found = await self._records.snapshots_of(scope.partition, some)
            for number in some:
                entity = self._decoded(number, scope, found.get(number, ()))
                if entity is not None:
                    loaded.append(entity)
                await asyncio.sleep(0)
        return loaded

    def _decoded(self, tournament_id: int, scope: Scope, snapshots: Sequence[StoredSnapshot]) -> Entity | None:
        damaged = False
        for stored in snapshots:
            try:
                state = decode_snapshot(stored.data, stored.deltas)
            except SnapshotError as error:
                logger.warning("snapshot of %d at offset %d passed over: %s", tournament_id, stored.offset, error)
                damaged = True
                continue
            return Entity.loaded(state, scope, rewound=damaged)
        if damaged:
            logger.critical("tournament %d has no readable snapshot", tournament_id)
        return None

    def place(self, entity: Entity) -> None:
        """Hold an entity, among the active or among those that are over."""
        state = entity.state
        if not state.over:
            self._over.pop(state.tournament_id, None)  # it was reopened
            entity.over_since_ms = None
            self.active[state.tournament_id] = entity
            return
        self.active.pop(state.tournament_id, None)
        if entity.over_since_ms is None:
            entity.over_since_ms = self._clock_ms()
        self._over.pop(state.tournament_id, None)
        self._over[state.tournament_id] = entity
        self._trim()

    def of_scope(self, scope: Scope) -> list[Entity]:
        """The entities in memory that belong to a scope."""
        return [e for table in (self.active, self._over) for e in table.values() if e.scope is scope]

    def drop(self, key: tuple[int, int]) -> Iterator[int]:
        """Give a scope up with all its tournaments; yields their ids."""
        scope = self.scopes.pop(key, None)
        for table in (self.active, self._over):
            for tournament_id in [i for i, entity in table.items() if entity.scope is scope]:
                del table[tournament_id]
                yield tournament_id

    def _trim(self) -> None:
        """Forget tournaments that are over and durable, beyond the bound."""
        now = self._clock_ms()
        for tournament_id in list(self._over):
            if len(self._over) <= self._over_kept:
                return
            entity = self._over[tournament_id]
            recent = entity.over_since_ms is not None and now - entity.over_since_ms < OVER_LINGER_MS
            room = len(self._over) <= LINGER_FACTOR * self._over_kept
            if entity.durable_offset >= entity.state.offset and not (recent and room):
                del self._over[tournament_id]
