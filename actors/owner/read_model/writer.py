"""Keeps read models beside the checkpoints: sends what changed of each tournament, often and in bounded batches, never in the owner's way.

A delta names the offset that it follows; one that does not follow, or of which nobody knows what was written, is sent whole. What the read
models hold is compared every 2 s with what was sent: one that was wiped, fell back or came from an old backup is right again after that.
Those for which nobody answered are asked for again within RETRY_MS, a few first and all once somebody answers: so what comes back, or
takes over, is right again some 0.5 s later, and costs little until then.
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
from actors.owner.read_model.checks import ReadModelChecks
from actors.owner.read_model.entry import ReadModelEntry, Sent
from storage.ports import (
    KeptReadModel,
    ReadModelDelta,
    ReadModelFullError,
    ReadModelPosition,
    ReadModelUnavailableError,
)

logger = logging.getLogger(__name__)

DUTY: Final = 9  # a round may take a tenth of the time: the pause is nine times its length, within the bounds
REPAIR_DUTY: Final = 1  # large wholes that take the place of a wrong one may take half of it
CLOSE_S: Final = 2.0  # for what still waits at the end
MAX_LARGE_PAUSE_MS: Final = 4000  # between large wholes
MAX_BUSY_PAUSE_MS: Final = 4000
FAILED_PAUSE_MS: Final = 1000  # read models must be right again within 5 s of their store's return


@dataclass(frozen=True, slots=True)
class ReadModelWriterConfig:
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

    entry: ReadModelEntry
    delta: ReadModelDelta
    changed: set[int]
    before: Sent | None


class ReadModelWriter:
    """`note` is called with each change; `round_due`, by one task, as often as it likes. `clock_ms` and `draw` (0 to 1) only pace."""

    def __init__(
        self,
        read_model: KeptReadModel,
        clock_ms: Callable[[], int],
        config: ReadModelWriterConfig | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._read_model = read_model
        self._clock_ms = clock_ms
        self._config = config or ReadModelWriterConfig()
        self._entries: dict[int, ReadModelEntry] = {}
        self._waiting: dict[int, ReadModelEntry] = {}  # in the order of their first change
        self._next_ms = 0
        self._next_check_ms = 0
        self._checks = ReadModelChecks(
            read_model, clock_ms, draw, self._config.check_batch, self._entries, self._compare
        )
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
        entry = self._entries.get(tournament_id)
        if entry is None or entry.entity is not entity:
            entry = self._entries[tournament_id] = ReadModelEntry(entity)
        elif change.slots:
            before = len(entry.changed)
            entry.changed.update(change.slots)
            if before < self._eager_rows <= len(entry.changed):
                self._next_ms = 0  # at once, while it still fits into one batch
        self._waiting[tournament_id] = entry

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved)."""
        self._entries.pop(tournament_id, None)
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
            await self._checks.compare(
                [i for i, entry in self._entries.items() if entry.unsure or i not in self._waiting]
            )
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
        pending = [i for i, entry in self._waiting.items() if not (entry.unsure or entry.busy)]
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
            entry = self._waiting.get(tournament_id)
            if entry is None:  # forgotten meanwhile
                taken += 1
                continue
            whole = entry.whole
            size = len(entry.entity.state.members) if whole else len(entry.changed)
            if rows and rows + size > self._config.batch_rows:
                break
            taken += 1
            if size > self._config.batch_rows:
                self._send_beside(tournament_id, entry)
                continue
            rows += size
            del self._waiting[tournament_id]
            batch.append(self._sending(entry, whole=whole))
        return pending[taken:], batch

    def _send_beside(self, tournament_id: int, entry: ReadModelEntry) -> None:
        """A large one is sent whole, one at a time and seldom, while the others go on. When it is not its turn, it waits for a later round."""
        resting = 0 < self._next_large_ms - self._clock_ms() <= MAX_LARGE_PAUSE_MS
        if resting or (self._large is not None and not self._large.done()):
            return
        if self._large is not None:
            self._large.result()  # a failure of our own ends the round, loudly
        del self._waiting[tournament_id]
        entry.busy = True
        self._large = asyncio.create_task(self._send_large(self._sending(entry, whole=True)))

    async def _send_large(self, sending: _Sending) -> None:
        began, ok = self._clock_ms(), False
        duty = REPAIR_DUTY if sending.entry.wrong else DUTY
        try:
            ok = await self._send([sending])
        finally:
            sending.entry.busy = False
            now = self._clock_ms()
            pause_ms = duty * (now - began) if ok else FAILED_PAUSE_MS
            self._next_large_ms = now + min(pause_ms, MAX_LARGE_PAUSE_MS)

    def _sending(self, entry: ReadModelEntry, *, whole: bool) -> _Sending:
        before, changed = entry.sent, entry.changed
        delta = entry.take(whole=whole)
        self.wholes += delta.after is None
        return _Sending(entry, delta, changed, before)

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
            logger.warning("read models not written, they will be sent again: %s", error)
        except asyncio.CancelledError:
            for sending in batch:
                self._send_whole(sending.delta.tournament_id, sending.entry)
            raise
        for sending in batch:
            tournament_id, entry = sending.delta.tournament_id, sending.entry
            if tournament_id in failed and full and self._entries.get(tournament_id) is entry:
                entry.sent = sending.before  # surely not written: the next delta follows the one before
                entry.changed |= sending.changed
                self._waiting[tournament_id] = entry
            elif tournament_id in failed or tournament_id in refused:
                self._send_whole(tournament_id, entry)
                if tournament_id in failed:
                    entry.unsure = True
                    self._checks.ask_again([tournament_id])
                else:
                    self._repair(entry)
            else:
                self.written += 1
                entry.wrong = False
                over = sending.delta.finished and tournament_id not in self._waiting
                if over and self._entries.get(tournament_id) is entry:
                    del self._entries[tournament_id]  # nothing follows; it expires by itself
        return not failed

    def _send_whole(self, tournament_id: int, entry: ReadModelEntry) -> None:
        """Nobody knows what this one holds: the next round writes it anew."""
        if self._entries.get(tournament_id) is entry:
            entry.sent = None
            entry.changed.clear()
            self._waiting[tournament_id] = entry

    def _repair(self, entry: ReadModelEntry) -> None:
        """It may say what is wrong: it is sent soon, whatever was to wait."""
        self._next_ms = 0
        if not entry.wrong:
            entry.wrong = True
            self._next_large_ms = 0

    def _compare(self, tournament_id: int, position: ReadModelPosition | None) -> None:
        entry = self._entries.get(tournament_id)
        if entry is None:
            return
        if entry.unsure:
            entry.unsure = False  # somebody answers again
            self._repair(entry)
        if entry.sent is None:
            return
        entity = entry.entity
        if position is not None and position.epoch > entity.epoch:
            return  # there is a later owner, or there was one in another log: then this one expires
        if position is None or position != (entity.epoch, entry.sent.offset):
            logger.info("the read model of tournament %d is at %s: sent whole", tournament_id, position)
            self.repaired += 1
            self._send_whole(tournament_id, entry)
            self._repair(entry)
        elif entry.sent != Sent.now(entity):
            self._waiting[tournament_id] = entry  # an update counted on, or the end became durable
