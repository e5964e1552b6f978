"""Writes checkpoints: snapshots, changed rows and projected offsets, whole, seldom, and never ahead of the log.

A full round saves every dirty tournament, in transactions of bounded size, and only then raises the scopes' projected offsets
to the watermarks at its begin. An urgent round saves a few tournaments at once (created, over). The pause between rounds grows
with their cost, up to a bound.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec
import numpy as np

from actors.domain.codec import encode_snapshot
from actors.domain.delivery import scope_name
from actors.domain.messages import Spec
from actors.domain.tournament import Tournament
from actors.entity import Entity, Scope
from storage.base import (
    Checkpoint,
    OutboxRow,
    ParticipantRow,
    Records,
    RecordsUnavailableError,
    StoredSnapshot,
    TournamentRow,
)

logger = logging.getLogger(__name__)

TRANSACTION_TOURNAMENTS: Final = 256
TRANSACTION_BYTES: Final = 8 * 1024 * 1024
TURN_BYTES: Final = 16 * 1024  # encoded in one go, about 1 ms; then deliveries and reads have a turn
RETRY_MS: Final = 1000  # from a save that the store did not take to the next
DUTY: Final = 10  # a round may take a tenth of the time: the pause is ten times its length


class Checkpointer:
    """`on_saved(entity)` is called for each entity whose state at its present save became durable."""

    def __init__(
        self,
        records: Records,
        clock_ms: Callable[[], int],
        interval_ms: int,
        max_interval_ms: int,
        on_saved: Callable[[Entity, int], Awaitable[None]],
    ) -> None:
        self._records = records
        self._clock_ms = clock_ms
        self._interval_ms = interval_ms
        self._max_interval_ms = max_interval_ms
        self._on_saved = on_saved
        self._dirty: dict[int, Entity] = {}
        self._urgent: dict[int, Entity] = {}
        self._saving = (
            asyncio.Lock()
        )  # beside a round that then fails, another would raise projected offsets past what is saved
        self._next_ms = 0
        self._failed_until_ms = 0
        self.failures = 0
        self.saved = 0
        self.last_round_ms = clock_ms()

    def mark(self, entity: Entity, *, urgent: bool = False) -> None:
        """This tournament changed; urgent ones are saved at the next call of `round_due`."""
        self._dirty[entity.state.tournament_id] = entity
        if urgent:
            self._urgent[entity.state.tournament_id] = entity

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved)."""
        self._dirty.pop(tournament_id, None)
        self._urgent.pop(tournament_id, None)

    @property
    def dirty(self) -> int:
        """How many tournaments wait to be saved."""
        return len(self._dirty)

    @property
    def urgent(self) -> bool:
        """Whether an urgent save waits."""
        return bool(self._urgent)

    async def round_due(self, scopes: Iterable[Scope]) -> bool:
        """An urgent round if one is asked for, a full round if it is time; returns whether anything was written."""
        now = self._clock_ms()
        if 0 < self._failed_until_ms - now <= RETRY_MS:  # a clock that was set back does not stop us
            return False
        if self._urgent:
            async with self._saving:
                urgent, self._urgent = self._urgent, {}
                if not await self._save(list(urgent.values()), []):
                    self._urgent = {**urgent, **self._urgent}
                    return False
        if self._clock_ms() < self._next_ms:
            return False
        return await self.full_round(scopes)

    async def full_round(self, scopes: Iterable[Scope]) -> bool:
        """Save all that is dirty and raise the projected offsets; False when the store did not take it."""
        async with self._saving:
            return await self._full_round(scopes)

    async def _full_round(self, scopes: Iterable[Scope]) -> bool:
        began = self._clock_ms()
        targets = [(scope, scope.watermark) for scope in scopes if scope.watermark > scope.durable]
        entities = list(self._dirty.values())
        if not entities and not targets:
            self.last_round_ms = began
            return True
        ok = await self._save(entities, targets)
        now = self._clock_ms()
        took = now - began
        if ok:
            self.last_round_ms = began
            # the bound counts from one round's begin to the next one's
            most = max(self._interval_ms, self._max_interval_ms - took)
            self._next_ms = now + min(most, max(self._interval_ms, DUTY * took))
        return ok

    async def _save(self, entities: list[Entity], targets: list[tuple[Scope, int]]) -> bool:
        """Save entities in bounded transactions; the last one raises the projected offsets."""
        while True:
            batch, entities = self._batch(entities)
            last = not entities
            if not await self._save_batch(batch, targets if last else []):
                return False
            if last:
                return True

    def _batch(self, entities: list[Entity]) -> tuple[list[Entity], list[Entity]]:
        size = count = 0
        for entity in entities[:TRANSACTION_TOURNAMENTS]:
            size += _about_bytes(entity)
            if count and size > TRANSACTION_BYTES:
                break
            count += 1
        return entities[:count], entities[count:]

    async def _save_batch(self, entities: list[Entity], targets: list[tuple[Scope, int]]) -> bool:
        taken: list[tuple[Entity, int, set[int]]] = []
        raised = list(targets)
        try:
            await self._records.save(await self._read(entities, taken, raised))
        except (
            BaseException
        ) as error:  # also when this task is cancelled, with the save undecided: nothing taken may be forgotten
            for entity, _, dirty in taken:
                entity.state.dirty |= dirty
                self._dirty.setdefault(entity.state.tournament_id, entity)
            if not isinstance(error, RecordsUnavailableError):
                raise
            self.failures += 1
            self._failed_until_ms = self._next_ms = self._clock_ms() + RETRY_MS
            logger.warning("checkpoint not written, it will be tried again: %s", error)
            return False
        self.saved += len(entities)
        for scope, upto in raised:
            scope.durable = max(scope.durable, upto)
        for entity, offset, _ in taken:
            entity.durable_offset = max(entity.durable_offset, offset)
            await self._on_saved(entity, offset)
        return True

    async def _read(
        self, entities: list[Entity], taken: list[tuple[Entity, int, set[int]]], raised: list[tuple[Scope, int]]
    ) -> Checkpoint:
        """The checkpoint of some entities; adds to `taken` what it took from what is dirty, to `raised` the dedicated scopes.

        A tournament is read in one go. Between two of them deliveries may come, which only takes the later ones further on.
        """
        rows: list[TournamentRow] = []
        snapshots: list[StoredSnapshot] = []
        participants: list[ParticipantRow] = []
        outbox: list[OutboxRow] = []
        read_bytes = 0
        for entity in entities:
            state = entity.state
            taken.append((entity, state.offset, state.dirty))
            rows.append(tournament_row(state, entity.scope.epoch))
            snapshots.append(StoredSnapshot(state.tournament_id, state.partition, state.offset, encode_snapshot(state)))
            participants.extend(participant_rows(entity))
            outbox.extend(_outbox_rows(entity))
            if entity.scope.tournament:  # it is its one tournament, so any save of it may raise its projected offset
                raised.append((entity.scope, entity.scope.watermark))
            state.dirty = set()
            self._dirty.pop(state.tournament_id, None)
            read_bytes += _about_bytes(entity)
            if read_bytes >= TURN_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
        projected = [(scope_name(s.partition, s.tournament), s.partition, upto) for s, upto in raised]
        return Checkpoint(rows, snapshots, participants, outbox, projected)


def _about_bytes(entity: Entity) -> int:
    """About the size of a snapshot with its rows."""
    return 200 + 100 * len(entity.state.members)


def participant_rows(entity: Entity) -> list[ParticipantRow]:
    """The changed rows; all of them, with ranks, once the tournament has finished: then the table is complete and exact."""
    state = entity.state
    members, ranking = state.members, state.ranking
    finished = state.status == "finished"
    slots = range(len(members)) if finished else sorted(state.dirty)
    ranks = ranking.ranks(np.arange(len(members), dtype=np.int32)).tolist() if finished else []
    return [
        ParticipantRow(
            tournament_id=state.tournament_id,
            user_id=members.users.user_id(slot),
            name=members.names[slot],
            active=bool(members.active[slot]),
            score=(score := ranking.score(slot)),
            attempts=members.attempts[slot],
            scored_ms=None if score is None else members.scored_ms[slot],
            joined_ms=members.joined_ms[slot],
            rank=(ranks[slot] or None) if finished else None,
        )
        for slot in slots
    ]


def _outbox_rows(entity: Entity) -> list[OutboxRow]:
    state = entity.state
    if not state.over:
        return []
    payload = msgspec.json.encode({"status": state.status, "participants": state.members.joined})
    return [OutboxRow(state.tournament_id, state.offset, 0, state.status, payload)]


def tournament_row(state: Tournament, epoch: int) -> TournamentRow:
    """The listed row of a tournament."""
    spec: Spec = state.spec
    return TournamentRow(
        tournament_id=state.tournament_id,
        partition=state.partition,
        offset=state.offset,
        epoch=epoch,
        name=spec.name,
        type=spec.type,
        visibility=spec.visibility,
        status=state.status,
        dedicated=state.dedicated,
        creator=state.creator,
        created_ms=state.created_ms,
        starts_ms=spec.starts_ms,
        ends_ms=spec.ends_ms,
        finished_ms=state.finished_ms,
        capacity=spec.capacity,
        participants=state.members.joined,
        version=state.version,
        revision=state.revision,
        spec=msgspec.json.encode(spec),
    )
