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
from actors.owner.change import Change
from actors.owner.checkpoint.rows import outbox_rows, participant_rows, tournament_row
from actors.owner.entity import Entity, Scope
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
        self._dirty: dict[int, Change] = {}  # all that changed of each tournament since its last save
        self._urgent: set[int] = set()  # those of them to be saved at once
        # beside a round that then fails, another would raise projected offsets past what is saved
        self._saving = asyncio.Lock()
        self._next_ms = 0
        self._again_ms: dict[int, int] = {}  # when a partition that the store did not take is tried again
        self.failures = 0
        self.saved = 0
        self.last_round_ms = clock_ms()

    def note(self, change: Change) -> None:
        """A tournament changed; urgent ones are saved at the next call of `round_due`."""
        tournament_id = change.entity.state.tournament_id
        waiting = self._dirty.get(tournament_id)
        if waiting is None or waiting.entity is not change.entity:
            waiting = self._dirty[tournament_id] = Change(change.entity)
        waiting.slots |= change.slots
        if change.urgent:
            waiting.urgent = True
            self._urgent.add(tournament_id)

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved)."""
        self._dirty.pop(tournament_id, None)
        self._urgent.discard(tournament_id)

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
                whole = await self._save_all([self._dirty[number] for number in self._urgent], [], only_due=True)
        if 0 < self._next_ms - self._clock_ms() <= max(self._interval_ms, self._max_interval_ms, RETRY_MAX_MS):
            return False  # a clock that was set back does not stop us
        return await self.full_round(scopes, only_due=True) and whole

    async def full_round(self, scopes: Iterable[Scope], *, only_due: bool = False) -> bool:
        """Save all that is dirty and raise the projected offsets of `scopes`; False when the store did not take all of it. `only_due`:
        but of partitions that it did not take a moment ago."""
        async with self._saving:
            began = self._clock_ms()
            changes, behind = list(self._dirty.values()), [s for s in scopes if s.watermark > s.durable]
            if not changes and not behind:
                self.last_round_ms = began
                return True
            whole = await self._save_all(changes, behind, only_due=only_due)
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

    async def _save_all(self, changes: Iterable[Change], scopes: Iterable[Scope], *, only_due: bool) -> bool:
        """Save tournaments and raise the projected offsets of scopes, each partition by itself; False when one was not taken or not tried."""
        work: dict[int, tuple[list[Change], list[tuple[Scope, int]]]] = {}
        for change in changes:
            work.setdefault(change.entity.scope.partition, ([], []))[0].append(change)
        for scope in scopes:
            work.setdefault(scope.partition, ([], []))[1].append((scope, scope.watermark))
        whole = True
        for partition, (theirs, targets) in work.items():
            # a clock that was set back does not stop us
            wait_ms = self._again_ms.get(partition, 0) - self._clock_ms()
            is_due = not (only_due and 0 < wait_ms <= RETRY_MS)
            whole = is_due and await self._save_partition(theirs, targets) and whole
        return whole

    async def _save_partition(self, changes: list[Change], targets: list[tuple[Scope, int]]) -> bool:
        """Save tournaments of one partition in bounded transactions, of which the last raises projected offsets; False once one fails."""
        while True:
            batch, changes = self._batch(changes)
            if not await self._save_batch(batch, [] if changes else targets):
                return False
            if not changes:
                return True

    def _batch(self, changes: list[Change]) -> tuple[list[Change], list[Change]]:
        size = count = 0
        for change in changes[:TRANSACTION_TOURNAMENTS]:
            size += _about_bytes(change.entity)
            if count and size > TRANSACTION_BYTES:
                break
            count += 1
        return changes[:count], changes[count:]

    async def _save_batch(self, changes: list[Change], targets: list[tuple[Scope, int]]) -> bool:
        taken: list[tuple[Change, int]] = []
        raised = list(targets)
        try:
            await self._records.save(await self._read(changes, taken, raised))
        except (
            BaseException
        ) as error:  # also when this task is cancelled, with the save undecided: nothing may be forgotten
            for change, _ in taken:
                self._put_back(change)
            if not isinstance(error, RecordsUnavailableError):
                raise
            self.failures += 1
            for change, _ in taken:
                self._on_unsaved(change.entity)
            partition = changes[0].entity.scope.partition if changes else targets[0][0].partition
            self._again_ms[partition] = self._clock_ms() + RETRY_MS
            logger.warning("checkpoint of partition %d not written, it will be tried again: %s", partition, error)
            return False
        for scope, upto in raised:
            scope.durable = max(scope.durable, upto)
        for change, offset in taken:
            self.saved += 1
            change.entity.durable_offset = max(change.entity.durable_offset, offset)
            if offset == change.entity.state.offset:
                change.entity.erased = False
            change.entity.effects = [row for row in change.entity.effects if row.offset > offset]
            await self._on_saved(change.entity, offset)
        return True

    def _take(self, change: Change) -> None:
        """What changed of this tournament by now, later changes included, waits no more."""
        tournament_id = change.entity.state.tournament_id
        waiting = self._dirty.get(tournament_id)
        if waiting is not None and waiting.entity is change.entity:  # else it was given up, or adopted anew meanwhile
            del self._dirty[tournament_id]
            self._urgent.discard(tournament_id)
            change.add(waiting)

    def _put_back(self, change: Change) -> None:
        tournament_id = change.entity.state.tournament_id
        if self._dirty.setdefault(tournament_id, change).entity is change.entity:
            self.note(change)

    async def _read(
        self, changes: list[Change], taken: list[tuple[Change, int]], raised: list[tuple[Scope, int]]
    ) -> Checkpoint:
        """The checkpoint of some tournaments; adds to `taken` what it took from what is dirty, to `raised` the dedicated scopes.

        A tournament is read in one go. Between two of them deliveries may come, which only takes the later ones further on.
        """
        rows: list[TournamentRow] = []
        snapshots: list[StoredSnapshot] = []
        participants: list[ParticipantRow] = []
        outbox: list[OutboxRow] = []
        read_bytes = 0
        for change in changes:
            entity, state = change.entity, change.entity.state
            self._take(change)
            taken.append((change, state.offset))
            rows.append(tournament_row(state, entity.scope.epoch, alone=entity.scope.tournament != 0))
            data = encode_snapshot(state)
            snapshots.append(
                StoredSnapshot(state.tournament_id, state.partition, state.offset, data, alone=entity.erased)
            )
            participants.extend(participant_rows(entity, change.slots))
            outbox.extend(outbox_rows(entity))
            if entity.scope.tournament:  # it is its one tournament, so any save of it may raise its projected offset
                raised.append((entity.scope, entity.scope.watermark))
            read_bytes += _about_bytes(entity)
            if read_bytes >= TURN_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
        projected = [(scope_name(s.partition, s.tournament), s.partition, upto) for s, upto in raised]
        return Checkpoint(rows, snapshots, participants, outbox, projected)


def _about_bytes(entity: Entity) -> int:
    """About the size of a snapshot with its rows."""
    return 200 + 100 * len(entity.state.members)
