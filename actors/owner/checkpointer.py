"""Writes checkpoints: snapshots, changed rows and projected offsets, whole, seldom, and never ahead of the log.

A full round saves every dirty tournament, in transactions of bounded size, and only then raises the scopes' projected offsets
to the watermarks at its begin. An urgent round saves a few tournaments at once (created, over). The pause between rounds grows
with their cost, up to a bound.

Where the store says that it took all but some tournaments (a shard of it is away), those wait, and the others go on: they are saved, round
after round. But a scope's projected offset stands for all its tournaments, so it stays where it is until a round has saved every one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from actors.domain.codec import encode_snapshot
from actors.domain.delivery import scope_name
from actors.owner.change import Change
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
RETRY_MS: Final = 1000  # from a save that the store did not take to the next
RETRY_MAX_MS: Final = (
    5000  # the same of a full round that it took in part: most of what is read for it is read for nothing
)
DUTY: Final = 10  # a round may take a tenth of the time: the pause is ten times its length


class _Outcome(NamedTuple):
    """What came of saving some entities: `whole` when all is durable, with the offsets that were to be raised; else `unsaved` are the
    tournaments that may not be, None when nothing is known."""

    whole: bool
    unsaved: frozenset[int] | None = frozenset()


@dataclass(slots=True)
class Unsaved:
    """A tournament that changed, and the participants whose rows did, slot -> user."""

    entity: Entity
    slots: dict[int, int] = field(default_factory=dict)

    @property
    def tournament_id(self) -> int:
        """Its tournament's id."""
        return self.entity.state.tournament_id


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
        self._dirty: dict[int, Unsaved] = {}
        self._urgent: dict[int, Unsaved] = {}
        self._again: dict[int, Unsaved] = {}  # urgent ones that the store did not take, to be tried again together
        self._again_ms = 0
        self._saving = (
            asyncio.Lock()
        )  # beside a round that then fails, another would raise projected offsets past what is saved
        self._next_ms = 0
        self._failed_until_ms = 0
        self.failures = 0
        self.saved = 0
        self.last_round_ms = clock_ms()

    def note(self, change: Change) -> None:
        """This tournament changed; urgent ones are saved at the next call of `round_due`."""
        tournament_id = change.entity.state.tournament_id
        unsaved = self._dirty.get(tournament_id)
        if unsaved is None or unsaved.entity is not change.entity:
            unsaved = self._dirty[tournament_id] = Unsaved(change.entity)
        unsaved.slots |= change.slots
        if change.urgent:
            self._urgent[tournament_id] = unsaved

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved)."""
        self._dirty.pop(tournament_id, None)
        self._urgent.pop(tournament_id, None)
        self._again.pop(tournament_id, None)

    @property
    def dirty(self) -> int:
        """How many tournaments wait to be saved."""
        return len(self._dirty)

    @property
    def urgent(self) -> bool:
        """Whether an urgent save waits."""
        return bool(self._urgent or self._again)

    async def round_due(self, scopes: Iterable[Scope]) -> bool:
        """An urgent round if one is asked for, a full round if it is time; returns whether anything was written."""
        now = self._clock_ms()
        if 0 < self._failed_until_ms - now <= RETRY_MS:  # a clock that was set back does not stop us
            return False
        if self._again and not 0 < self._again_ms - now <= RETRY_MS:
            self._urgent, self._again = {**self._again, **self._urgent}, {}
        if self._urgent and not await self._urgent_round():
            return False
        if 0 < self._next_ms - self._clock_ms() <= max(self._interval_ms, self._max_interval_ms, RETRY_MAX_MS):
            return False
        return await self.full_round(scopes)

    async def _urgent_round(self) -> bool:
        """Save what is urgent; False when the store may have taken nothing."""
        async with self._saving:
            urgent, self._urgent = self._urgent, {}
            outcome = await self._save(list(urgent.values()), [])
            if outcome.unsaved is None:
                self._urgent = {**urgent, **self._urgent}
                return False
            if not self._again:  # else others wait already, and are not to wait longer for these
                self._again_ms = self._clock_ms() + RETRY_MS
            self._again.update((number, urgent[number]) for number in outcome.unsaved if number in urgent)
            return True

    async def full_round(self, scopes: Iterable[Scope]) -> bool:
        """Save all that is dirty and raise the projected offsets; False when the store did not take all of it."""
        async with self._saving:
            return await self._full_round(scopes)

    async def _full_round(self, scopes: Iterable[Scope]) -> bool:
        began = self._clock_ms()
        targets = [(scope, scope.watermark) for scope in scopes if scope.watermark > scope.durable]
        unsaved = list(self._dirty.values())
        if not unsaved and not targets:
            self.last_round_ms = began
            return True
        outcome = await self._save(unsaved, targets)
        now = self._clock_ms()
        took = now - began
        if outcome.whole:
            self.last_round_ms = began
            # the bound counts from one round's begin to the next one's
            most = max(self._interval_ms, self._max_interval_ms - took)
            self._next_ms = now + min(most, max(self._interval_ms, DUTY * took))
        elif outcome.unsaved is not None:
            self._next_ms = now + min(RETRY_MAX_MS, max(RETRY_MS, DUTY * took))
        return outcome.whole

    async def _save(self, waiting: list[Unsaved], targets: list[tuple[Scope, int]]) -> _Outcome:
        """Save tournaments in bounded transactions; the last one raises the projected offsets of the scopes that lack nothing.

        What the store takes in part does not end the round, so one shard that is away does not keep what lies on the others.
        """
        unsaved: frozenset[int] = frozenset()
        whole = True
        while True:
            batch, waiting = self._batch(waiting)
            outcome = await self._save_batch(batch, [] if waiting else targets)
            if outcome.unsaved is None:
                return outcome
            whole = whole and outcome.whole
            unsaved |= outcome.unsaved
            lacking = {id(each.entity.scope) for each in batch if each.tournament_id in outcome.unsaved}
            targets = [target for target in targets if id(target[0]) not in lacking]
            if not waiting:
                break
        left = [(s, upto) for s, upto in targets if s.durable < upto and s.tournament not in unsaved]
        if outcome.unsaved and left:  # the last batch could not raise these, and they lack nothing
            await self._save_batch([], left)
        return _Outcome(whole, unsaved)

    def _batch(self, waiting: list[Unsaved]) -> tuple[list[Unsaved], list[Unsaved]]:
        size = count = 0
        for unsaved in waiting[:TRANSACTION_TOURNAMENTS]:
            size += _about_bytes(unsaved.entity)
            if count and size > TRANSACTION_BYTES:
                break
            count += 1
        return waiting[:count], waiting[count:]

    async def _save_batch(self, waiting: list[Unsaved], targets: list[tuple[Scope, int]]) -> _Outcome:
        taken: list[tuple[Unsaved, int]] = []
        raised = list(targets)
        outcome = _Outcome(whole=True)
        try:
            await self._records.save(await self._read(waiting, taken, raised))
        except (
            BaseException
        ) as error:  # also when this task is cancelled, with the save undecided: nothing taken may be forgotten
            outcome = _Outcome(False, error.unsaved if isinstance(error, RecordsUnavailableError) else None)
            self._put_back(taken, outcome.unsaved)
            if not isinstance(error, RecordsUnavailableError):
                raise
            self.failures += 1
            if outcome.unsaved is None:
                self._failed_until_ms = self._next_ms = self._clock_ms() + RETRY_MS
            logger.warning("checkpoint not written, it will be tried again: %s", error)
        for scope, upto in raised:
            # of a save that was taken in part only what belongs to one tournament is certain
            if outcome.whole or (scope.tournament and _is_saved(scope.tournament, outcome)):
                scope.durable = max(scope.durable, upto)
        for unsaved, offset in taken:
            entity = unsaved.entity
            if _is_saved(unsaved.tournament_id, outcome):
                self.saved += 1
                self._again.pop(unsaved.tournament_id, None)
                entity.durable_offset = max(entity.durable_offset, offset)
                await self._on_saved(entity, offset)
            else:
                self._on_unsaved(entity)
        return outcome

    def _put_back(self, taken: list[tuple[Unsaved, int]], lost: frozenset[int] | None) -> None:
        for unsaved, _ in taken:
            if lost is None or unsaved.tournament_id in lost:
                waiting = self._dirty.setdefault(unsaved.tournament_id, unsaved)
                if waiting.entity is unsaved.entity:  # else it was given up and adopted anew meanwhile
                    waiting.slots |= unsaved.slots

    async def _read(
        self, waiting: list[Unsaved], taken: list[tuple[Unsaved, int]], raised: list[tuple[Scope, int]]
    ) -> Checkpoint:
        """The checkpoint of some tournaments; adds to `taken` what it took from what is dirty, to `raised` the dedicated scopes.

        A tournament is read in one go. Between two of them deliveries may come, which only takes the later ones further on.
        """
        rows: list[TournamentRow] = []
        snapshots: list[StoredSnapshot] = []
        participants: list[ParticipantRow] = []
        outbox: list[OutboxRow] = []
        read_bytes = 0
        for unsaved in waiting:
            entity, state = unsaved.entity, unsaved.entity.state
            newest = self._dirty.get(state.tournament_id)
            if newest is not None and newest.entity is entity:  # else it was given up and adopted anew meanwhile
                del self._dirty[state.tournament_id]
                unsaved.slots |= newest.slots
            taken.append((unsaved, state.offset))
            rows.append(tournament_row(state, entity.scope.epoch))
            snapshots.append(StoredSnapshot(state.tournament_id, state.partition, state.offset, encode_snapshot(state)))
            participants.extend(participant_rows(entity, unsaved.slots))
            outbox.extend(outbox_rows(entity))
            if entity.scope.tournament:  # it is its one tournament, so any save of it may raise its projected offset
                raised.append((entity.scope, entity.scope.watermark))
            read_bytes += _about_bytes(entity)
            if read_bytes >= TURN_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
        projected = [(scope_name(s.partition, s.tournament), s.partition, upto) for s, upto in raised]
        return Checkpoint(rows, snapshots, participants, outbox, projected)


def _is_saved(tournament_id: int, outcome: _Outcome) -> bool:
    return outcome.unsaved is not None and tournament_id not in outcome.unsaved


def _about_bytes(entity: Entity) -> int:
    """About the size of a snapshot with its rows."""
    return 200 + 100 * len(entity.state.members)
