"""Writes checkpoints: snapshots, changed rows and projected offsets, whole, seldom, and never ahead of the log.

A full round saves every dirty tournament, partition by partition, each in transactions of bounded size; the last of them raises the
projected offsets of the partition's scopes to the watermarks at the round's begin. An urgent round saves a few tournaments at once (created,
over). The pause between rounds grows with their cost, up to a bound.

A partition that the store does not take (its shard is away) is left alone for a second and tried again; the others go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from actors.domain.codec import encode_snapshot
from actors.domain.delivery import scope_name
from actors.owner.entity import Entity, Scope
from actors.owner.rows import outbox_rows, participant_rows, tournament_row
from storage.ports import (
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
RETRY_MS: Final = 1000  # from a save of a partition that the store did not take to its next one
RETRY_MAX_MS: Final = 5000  # the same of full rounds: most of what is read for them may be read for nothing
DUTY: Final = 10  # a round may take a tenth of the time: the pause is ten times its length


class Checkpointer:
    """`on_saved(entity, offset)` is called for each entity whose state as of `offset` became durable, `on_unsaved(entity)` for each that the
    store did not take: it will be tried again."""

    def __init__(
        self,
        records: Records,
        clock_ms: Callable[[], int],
        interval_ms: int,
        max_interval_ms: int,
        on_saved: Callable[[Entity, int], Awaitable[None]],
        on_unsaved: Callable[[Entity], None],
    ) -> None:
        self._records = records
        self._clock_ms = clock_ms
        self._interval_ms = interval_ms
        self._max_interval_ms = max_interval_ms
        self._on_saved = on_saved
        self._on_unsaved = on_unsaved
        self._dirty: dict[int, Entity] = {}
        self._urgent: dict[int, Entity] = {}
        # beside a round that then fails, another would raise projected offsets past what is saved
        self._saving = asyncio.Lock()
        self._next_ms = 0
        self._again_ms: dict[int, int] = {}  # when a partition that the store did not take is tried again
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
        """An urgent round if one is asked for, a full round if it is time; returns whether all that it was about was written."""
        whole = True
        if self._urgent:
            async with self._saving:
                whole = await self._save_all(list(self._urgent.values()), [], only_due=True)
        if 0 < self._next_ms - self._clock_ms() <= max(self._interval_ms, self._max_interval_ms, RETRY_MAX_MS):
            return False  # a clock that was set back does not stop us
        return await self.full_round(scopes, only_due=True) and whole

    async def full_round(self, scopes: Iterable[Scope], *, only_due: bool = False) -> bool:
        """Save all that is dirty and raise the projected offsets of `scopes`; False when the store did not take all of it. `only_due`:
        but of partitions that it did not take a moment ago."""
        async with self._saving:
            began = self._clock_ms()
            entities, behind = list(self._dirty.values()), [s for s in scopes if s.watermark > s.durable]
            if not entities and not behind:
                self.last_round_ms = began
                return True
            whole = await self._save_all(entities, behind, only_due=only_due)
            now = self._clock_ms()
            took = now - began
            if whole:
                self.last_round_ms = began
                # the bound counts from one round's begin to the next one's
                most = max(self._interval_ms, self._max_interval_ms - took)
                self._next_ms = now + min(most, max(self._interval_ms, DUTY * took))
            else:
                self._next_ms = now + min(RETRY_MAX_MS, max(RETRY_MS, DUTY * took))
            return whole

    async def _save_all(self, entities: Iterable[Entity], scopes: Iterable[Scope], *, only_due: bool) -> bool:
        """Save entities and raise the projected offsets of scopes, each partition by itself; False when one was not taken or is left alone."""
        work: dict[int, tuple[list[Entity], list[tuple[Scope, int]]]] = {}
        for entity in entities:
            work.setdefault(entity.scope.partition, ([], []))[0].append(entity)
        for scope in scopes:
            work.setdefault(scope.partition, ([], []))[1].append((scope, scope.watermark))
        whole = True
        for partition, (theirs, targets) in work.items():
            # a clock that was set back does not stop us
            wait_ms = self._again_ms.get(partition, 0) - self._clock_ms()
            is_due = not (only_due and 0 < wait_ms <= RETRY_MS)
            whole = is_due and await self._save_partition(theirs, targets) and whole
        return whole

    async def _save_partition(self, entities: list[Entity], targets: list[tuple[Scope, int]]) -> bool:
        """Save entities of one partition in bounded transactions, of which the last raises projected offsets; False once one fails."""
        while True:
            batch, entities = self._batch(entities)
            if not await self._save_batch(batch, [] if entities else targets):
                return False
            if not entities:
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
        urgent = [e for e in entities if self._urgent.pop(e.state.tournament_id, None) is not None]
        try:
            await self._records.save(await self._read(entities, taken, raised))
        except (
            BaseException
        ) as error:  # also when this task is cancelled, with the save undecided: nothing may be forgotten
            for entity, _, dirty in taken:
                entity.state.dirty |= dirty
                self._dirty.setdefault(entity.state.tournament_id, entity)
            for entity in urgent:
                self._urgent.setdefault(entity.state.tournament_id, entity)
            if not isinstance(error, RecordsUnavailableError):
                raise
            self.failures += 1
            for entity, _, _ in taken:
                self._on_unsaved(entity)
            partition = entities[0].scope.partition if entities else targets[0][0].partition
            self._again_ms[partition] = self._clock_ms() + RETRY_MS
            logger.warning("checkpoint of partition %d not written, it will be tried again: %s", partition, error)
            return False
        for scope, upto in raised:
            scope.durable = max(scope.durable, upto)
        for entity, offset, _ in taken:
            self.saved += 1
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
            outbox.extend(outbox_rows(entity))
            if entity.scope.tournament:  # it is its one tournament, so any save of it may raise its projected offset
                raised.append((entity.scope, entity.scope.watermark))
            state.dirty = set()
            if self._dirty.get(state.tournament_id) is entity:  # else it was given up and adopted anew meanwhile
                del self._dirty[state.tournament_id]
            read_bytes += _about_bytes(entity)
            if read_bytes >= TURN_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
        projected = [(scope_name(s.partition, s.tournament), s.partition, upto) for s, upto in raised]
        return Checkpoint(rows, snapshots, participants, outbox, projected)


def _about_bytes(entity: Entity) -> int:
    """About the size of a snapshot with its rows."""
    return 200 + 100 * len(entity.state.members)
