"""Keeps readable copies beside the checkpoints: sends what changed of each tournament, often and in bounded batches, never in the owner's way.

A delta names the offset that it follows; a copy that does not follow, or of which nobody knows what was written, is sent whole. What the copies
hold is compared every 2 s with what was sent: one that was wiped, fell back or came from an old backup is right again after that. Copies for
which nobody answered are asked for again within RETRY_MS, a few first and all once somebody answers: so what comes back, or takes over,
is right again some 0.5 s later, and costs little until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from actors.owner.change import Change
from actors.owner.copy_checks import CopyChecks
from actors.owner.copy_delta import Copy, delta_of
from storage.ports import (
    CopyPosition,
    KeptReadModel,
    ReadModelDelta,
    ReadModelFullError,
    ReadModelUnavailableError,
)

logger = logging.getLogger(__name__)

DUTY: Final = 9  # a round may take a tenth of the time: the pause is nine times its length, within the bounds
REPAIR_DUTY: Final = 1  # large wholes that take the place of a wrong copy may take half of it
CLOSE_S: Final = 2.0  # for what still waits at the end
MAX_LARGE_PAUSE_MS: Final = 4000  # between large wholes
MAX_BUSY_PAUSE_MS: Final = 4000
FAILED_PAUSE_MS: Final = 1000  # copies must be right again within 5 s of their store's return


@dataclass(frozen=True, slots=True)
class CopiesConfig:
    """`interval_ms`: pause between rounds, up to MAX_BUSY_PAUSE_MS where rounds take long; `check_interval_ms`: between comparisons.

    A write carries at most `batch_tournaments` and, unless one alone has more, `batch_rows`; a comparison asks for `check_batch` at a time.
    """

    interval_ms: int = 250
    check_interval_ms: int = 2000
    batch_tournaments: int = 64
    batch_rows: int = 2000
    check_batch: int = 500


class _Sending(NamedTuple):
    """A delta on its way, and what to go back to when it is refused for want of memory."""

    copy: Copy
    delta: ReadModelDelta
    changed: set[int]
    before: tuple[int, int, str] | None


class ReadCopies:
    """`note` is called with each change; `round_due`, by one task, as often as it likes. `clock_ms` and `draw` (0 to 1) only pace."""

    def __init__(
        self,
        read_model: KeptReadModel,
        clock_ms: Callable[[], int],
        config: CopiesConfig | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._read_model = read_model
        self._clock_ms = clock_ms
        self._config = config or CopiesConfig()
        self._copies: dict[int, Copy] = {}
        self._waiting: dict[int, Copy] = {}  # in the order of their first change
        self._next_ms = 0
        self._next_check_ms = 0
        self._checks = CopyChecks(read_model, clock_ms, draw, self._config.check_batch, self._copies, self._compare)
        self._eager_rows = max(1, self._config.batch_rows // 2)
        self._next_large_ms = 0
        self._large: asyncio.Task[None] | None = None
        self.written = 0
        self.wholes = 0
        self.failures = 0
        self.repaired = 0

    def note(self, change: Change) -> None:
        """A tournament changed. Before its scope is ready nothing of it is shown."""
        entity = change.entity
        if not (change.slots or change.top) or not entity.scope.ready:
            return
        tournament_id = entity.state.tournament_id
        copy = self._copies.get(tournament_id)
        if copy is None or copy.entity is not entity:
            copy = self._copies[tournament_id] = Copy(entity)
        elif change.slots:
            before = len(copy.changed)
            copy.changed.update(change.slots)
            if before < self._eager_rows <= len(copy.changed):
                self._next_ms = 0  # at once, while it still fits into one batch
        self._waiting[tournament_id] = copy

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved)."""
        self._copies.pop(tournament_id, None)
        self._waiting.pop(tournament_id, None)

    @property
    def waiting(self) -> int:
        """How many tournaments wait to be sent."""
        return len(self._waiting)

    async def round_due(self) -> bool:
        """Send all that waits and compare, if it is time; returns whether a round was made."""
        began = self._clock_ms()
        # a clock that was set back does not stop us
        if not 0 < self._next_check_ms - began <= self._config.check_interval_ms:
            self._next_check_ms = began + self._config.check_interval_ms
            await self._checks.compare([i for i, copy in self._copies.items() if copy.unsure or i not in self._waiting])
        elif self._checks.is_retry_due(began):
            await self._checks.retry()
        if 0 < self._next_ms - began <= MAX_BUSY_PAUSE_MS:
            return False
        self._next_ms = 0
        ok = await self._send_all()
        now = self._clock_ms()
        pause_ms = (
            min(MAX_BUSY_PAUSE_MS, max(self._config.interval_ms, DUTY * (now - began))) if ok else FAILED_PAUSE_MS
        )
        self._next_ms = now + pause_ms
        return True

    async def close(self) -> None:
        """Send what waits, once, within CLOSE_S."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._send_all()
                if self._large is not None:
                    await self._large
        if self._large is not None:
            self._large.cancel()

    async def _send_all(self) -> bool:
        """Send what waits now, in batches; False when some of it was not taken. What comes meanwhile waits for the next round."""
        pending = [i for i, copy in self._waiting.items() if not (copy.unsure or copy.busy)]
        ok = True
        while pending:
            pending, batch = self._batch(pending)
            if batch:
                ok = await self._send(batch) and ok
        return ok

    def _batch(self, pending: list[int]) -> tuple[list[int], list[_Sending]]:
        """The deltas of the next tournaments, each as of this moment, and the tournaments that are left."""
        batch: list[_Sending] = []
        rows = taken = 0
        for tournament_id in pending[: self._config.batch_tournaments]:
            copy = self._waiting.get(tournament_id)
            if copy is None:  # forgotten meanwhile
                taken += 1
                continue
            whole = copy.sent is None or copy.renumbered != copy.entity.state.ranking.renumbered
            size = len(copy.entity.state.members) if whole else len(copy.changed)
            if rows and rows + size > self._config.batch_rows:
                break
            taken += 1
            if size > self._config.batch_rows:
                self._send_beside(tournament_id, copy)
                continue
            rows += size
            del self._waiting[tournament_id]
            batch.append(self._sending(copy, whole=whole))
        return pending[taken:], batch

    def _send_beside(self, tournament_id: int, copy: Copy) -> None:
        """A large one is sent whole, one at a time and seldom, while the others go on. When it is not its turn, it waits for a later round."""
        resting = 0 < self._next_large_ms - self._clock_ms() <= MAX_LARGE_PAUSE_MS
        if resting or (self._large is not None and not self._large.done()):
            return
        if self._large is not None:
            self._large.result()  # a failure of our own ends the round, loudly
        del self._waiting[tournament_id]
        copy.busy = True
        self._large = asyncio.create_task(self._send_large(self._sending(copy, whole=True)))

    async def _send_large(self, sending: _Sending) -> None:
        began, ok = self._clock_ms(), False
        duty = REPAIR_DUTY if sending.copy.wrong else DUTY
        try:
            ok = await self._send([sending])
        finally:
            sending.copy.busy = False
            now = self._clock_ms()
            pause_ms = duty * (now - began) if ok else FAILED_PAUSE_MS
            self._next_large_ms = now + min(pause_ms, MAX_LARGE_PAUSE_MS)

    def _sending(self, copy: Copy, *, whole: bool) -> _Sending:
        before, changed, state = copy.sent, copy.changed, copy.entity.state
        after = None if whole or before is None else before[0]
        copy.changed = set()
        copy.sent = (state.offset, copy.entity.shown_seq, copy.entity.status)
        copy.renumbered = state.ranking.renumbered
        self.wholes += after is None
        delta = delta_of(copy.entity, None if after is None else sorted(changed), after)
        return _Sending(copy, delta, changed, before)

    async def _send(self, batch: Sequence[_Sending]) -> bool:
        failed: frozenset[int] = frozenset()
        refused: list[int] = []
        full = False
        try:
            refused = await self._read_model.write([sending.delta for sending in batch])
        except ReadModelUnavailableError as error:
            failed = error.failed or frozenset(sending.delta.tournament_id for sending in batch)
            full = isinstance(error, ReadModelFullError)
            self.failures += 1
            logger.warning("read copies not written, they will be sent again: %s", error)
        except asyncio.CancelledError:
            for sending in batch:
                self._send_whole(sending.delta.tournament_id, sending.copy)
            raise
        for sending in batch:
            tournament_id, copy = sending.delta.tournament_id, sending.copy
            if tournament_id in failed and full and self._copies.get(tournament_id) is copy:
                copy.sent = sending.before  # surely not written: the next delta follows the one before
                copy.changed |= sending.changed
                self._waiting[tournament_id] = copy
            elif tournament_id in failed or tournament_id in refused:
                self._send_whole(tournament_id, copy)
                if tournament_id in failed:
                    copy.unsure = True
                    self._checks.ask_again([tournament_id])
                else:
                    self._repair(copy)
            else:
                self.written += 1
                copy.wrong = False
                over = sending.delta.finished and tournament_id not in self._waiting
                if over and self._copies.get(tournament_id) is copy:
                    del self._copies[tournament_id]  # nothing follows; it expires by itself
        return not failed

    def _send_whole(self, tournament_id: int, copy: Copy) -> None:
        """Nobody knows what this copy holds: the next round writes it anew."""
        if self._copies.get(tournament_id) is copy:
            copy.sent = None
            copy.changed.clear()
            self._waiting[tournament_id] = copy

    def _repair(self, copy: Copy) -> None:
        """It may say what is wrong: it is sent soon, whatever was to wait."""
        self._next_ms = 0
        if not copy.wrong:
            copy.wrong = True
            self._next_large_ms = 0

    def _compare(self, tournament_id: int, position: CopyPosition | None) -> None:
        copy = self._copies.get(tournament_id)
        if copy is None:
            return
        if copy.unsure:
            copy.unsure = False  # somebody answers again
            self._repair(copy)
        if copy.sent is None:
            return
        entity = copy.entity
        if position is not None and position.epoch > entity.epoch:
            return  # there is a later owner, or there was one in another log: then this copy expires
        if position is None or position != (entity.epoch, copy.sent[0]):
            logger.info("the read copy of tournament %d is at %s: sent whole", tournament_id, position)
            self.repaired += 1
            self._send_whole(tournament_id, copy)
            self._repair(copy)
        elif copy.sent != (entity.state.offset, entity.shown_seq, entity.status):
            self._waiting[tournament_id] = copy  # an update counted on, or the end became durable
