"""Writes checkpoints: snapshots, changed rows and projected offsets, whole, seldom, and never ahead of the log.

A full round saves every dirty tournament, partition by partition, in checkpoints of bounded size; a partition's last one raises the
projected offsets of its scopes to the watermarks at the round's begin. An urgent round saves at once what waits (created, over). Small
checkpoints of several partitions go to the store together. The pause between rounds grows with their cost, up to a bound.

A partition that the store does not take (its shard is away) is left alone for a second and tried again; the others go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from actors.domain.delivery import scope_name
from actors.owner.change import Change
from actors.owner.checkpoint.rows import attempt_rows, outbox_rows, participant_rows, tournament_row
from actors.owner.checkpoint.snapshot_chain import USUAL, DeltaBounds, next_snapshot, takes_delta
from actors.owner.entity import Chain, Entity, Scope
from storage.ports import (
    Checkpoint,
    OutboxRow,
    ParticipantRow,
    Records,
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


@dataclass(slots=True)
class _Taken:
    """What a save took of a tournament: all that changed up to `offset`; `chain` is durable with it."""

    change: Change
    offset: int
    chain: Chain | None = None


@dataclass(slots=True)
class _Piece:
    """What is to be saved of a partition in one transaction: `changes` of about `size` bytes, and how far scopes are durable then."""

    partition: int
    changes: list[Change] = field(default_factory=list)
    targets: list[tuple[Scope, int]] = field(default_factory=list)
    taken: list[_Taken] = field(default_factory=list)
    size: int = 0

    def has_room_for(self, changes: int, size: int) -> bool:
        """Whether so many changes more fit; the first one always does."""
        fits = self.size + size <= TRANSACTION_BYTES and len(self.changes) + changes <= TRANSACTION_TOURNAMENTS
        return not self.changes or fits


class Checkpointer:
    """`on_saved(entity, offset)` is called for each entity whose state as of `offset` became durable, `on_unsaved(entity)` for each that the
    store did not take: it will be tried again. `deltas`: when they are saved; `attempts`: whether analytics are told."""

    def __init__(
        self,
        records: Records,
        clock_ms: Callable[[], int],
        interval_ms: int,
        max_interval_ms: int,
        on_saved: Callable[[Entity, int], Awaitable[None]],
        on_unsaved: Callable[[Entity], None],
        deltas: DeltaBounds = USUAL,
        *,
        attempts: bool = True,
    ) -> None:
        self._records = records
        self._clock_ms = clock_ms
        self._interval_ms = interval_ms
        self._max_interval_ms = max_interval_ms
        self._on_saved = on_saved
        self._on_unsaved = on_unsaved
        self.deltas = deltas
        self._tells_attempts = attempts
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
        waiting.whole |= change.whole
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
        not_due, pieces = False, []
        for partition, (theirs, targets) in work.items():
            # a clock that was set back does not stop us
            wait_ms = self._again_ms.get(partition, 0) - self._clock_ms()
            if only_due and 0 < wait_ms <= RETRY_MS:
                not_due = True
            else:
                pieces += self._pieces(partition, theirs, targets)
        refused: set[int] = set()
        for group in self._groups(pieces):
            # once one piece of a partition was not taken, no later one may raise its offsets
            refused |= await self._save_group([piece for piece in group if piece.partition not in refused])
        return not (not_due or refused)

    def _pieces(self, partition: int, changes: list[Change], targets: list[tuple[Scope, int]]) -> list[_Piece]:
        """What is to be saved of a partition, in pieces of bounded size, of which the last raises projected offsets."""
        pieces = [_Piece(partition)]
        for change in changes:
            size = self._about_bytes(change)
            if not pieces[-1].has_room_for(1, size):
                pieces.append(_Piece(partition))
            pieces[-1].changes.append(change)
            pieces[-1].size += size
        pieces[-1].targets += targets
        return pieces

    def _groups(self, pieces: list[_Piece]) -> list[list[_Piece]]:
        """Pieces that are saved together, within the bounds of one; no two of them are of one partition."""
        groups: list[list[_Piece]] = []
        together = _Piece(-1)
        for piece in pieces:
            if not groups or not together.has_room_for(len(piece.changes), piece.size):
                groups.append([])
                together = _Piece(-1)
            groups[-1].append(piece)
            together.changes += piece.changes
            together.size += piece.size
        return groups

    async def _save_group(self, pieces: list[_Piece]) -> set[int]:
        """Save pieces of several partitions; the partitions of those that were not taken."""
        try:
            checkpoints = [await self._read(piece) for piece in pieces]
            errors = await self._records.save_each(checkpoints)
        except BaseException:  # also when this task is cancelled, with the save undecided: nothing may be forgotten
            for piece in pieces:
                self._give_back(piece)
            raise
        refused = set()
        for piece, error in zip(pieces, errors, strict=True):
            if error is None:
                await self._was_saved(piece)
                continue
            refused.add(piece.partition)
            self._give_back(piece)
            self.failures += 1
            for each in piece.taken:
                self._on_unsaved(each.change.entity)
            self._again_ms[piece.partition] = self._clock_ms() + RETRY_MS
            logger.warning("checkpoint of partition %d not written, it will be tried again: %s", piece.partition, error)
        return refused

    def _give_back(self, piece: _Piece) -> None:
        for each in piece.taken:
            each.change.entity.chain = None  # a delta may follow neither what was saved before nor this
            self._put_back(each.change)

    async def _was_saved(self, piece: _Piece) -> None:
        for scope, upto in piece.targets:
            scope.durable = max(scope.durable, upto)
        for each in piece.taken:
            change, offset = each.change, each.offset
            self.saved += 1
            change.entity.chain = each.chain
            change.entity.durable_offset = max(change.entity.durable_offset, offset)
            if offset == change.entity.state.offset:
                change.entity.erased = False
            change.entity.effects = [row for row in change.entity.effects if row.offset > offset]
            change.entity.attempts.forget(offset)
            await self._on_saved(change.entity, offset)

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

    async def _read(self, piece: _Piece) -> Checkpoint:
        """The checkpoint of a piece; notes what it took from what is dirty, and the dedicated scopes among its targets.

        A tournament is read in one go. Between two of them deliveries may come, which only takes the later ones further on.
        """
        rows: list[TournamentRow] = []
        snapshots: list[StoredSnapshot] = []
        participants: list[ParticipantRow] = []
        outbox: list[OutboxRow] = []
        read_bytes = 0
        for change in piece.changes:
            entity, state = change.entity, change.entity.state
            self._take(change)
            piece.taken.append(_Taken(change, state.offset))
            rows.append(tournament_row(state, entity.scope.epoch))
            snapshot, piece.taken[-1].chain = next_snapshot(change, self.deltas)
            snapshots.append(snapshot)
            participants.extend(participant_rows(entity, change.slots))
            outbox.extend(outbox_rows(entity))
            if self._tells_attempts and (change.slots or change.urgent):
                outbox.extend(attempt_rows(entity))
            if entity.scope.tournament:  # it is its one tournament, so any save of it may raise its projected offset
                piece.targets.append((entity.scope, entity.scope.watermark))
            read_bytes += self._about_bytes(change)
            if read_bytes >= TURN_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
        projected = [(scope_name(s.partition, s.tournament), s.partition, upto) for s, upto in piece.targets]
        return Checkpoint(rows, snapshots, participants, outbox, projected)

    def _about_bytes(self, change: Change) -> int:
        """About the size of a snapshot with its rows."""
        delta = takes_delta(change, self.deltas)
        return 200 + 100 * len(change.slots if delta else change.entity.state.members)
