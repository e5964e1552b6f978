"""Asks what read models hold. Where nobody answers it asks again within RETRY_MS: a few first, and all as soon as somebody answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from actors.owner.read_model.entry import ReadModelEntry
from storage.ports import KeptReadModel, ReadModelPosition, ReadModelUnavailableError

logger = logging.getLogger(__name__)

RETRY_MS: Final = 300  # what is away may be back any moment, and read models must be right within 5 s of the fault


class ReadModelChecks:
    """`compare_one` gets each answer. `clock_ms` and `draw` (0 to 1) only pace; at most `batch` tournaments are asked for at a time."""

    def __init__(
        self,
        read_model: KeptReadModel,
        clock_ms: Callable[[], int],
        draw: Callable[[], float],
        batch: int,
        entries: Mapping[int, ReadModelEntry],
        compare_one: Callable[[int, ReadModelPosition | None], None],
    ) -> None:
        self._read_model = read_model
        self._clock_ms = clock_ms
        self._draw = draw
        self._batch = batch
        self._entries = entries
        self._compare = compare_one
        self._unanswered: dict[int, None] = {}  # in this order
        self._next_retry_ms = 0

    def is_retry_due(self, now_ms: int) -> bool:
        """Whether to ask again for those for which nobody answered. A clock that was set back does not stop us."""
        return bool(self._unanswered) and not 0 < self._next_retry_ms - now_ms <= RETRY_MS

    async def compare(self, tournament_ids: Sequence[int]) -> None:
        """Ask for what the read models of these hold, and tell it."""
        for first in range(0, len(tournament_ids), self._batch):
            if not await self._compare_batch(tournament_ids[first : first + self._batch]):
                self.ask_again(tournament_ids[first:])  # nobody answers: soon, and then a few first
                return

    async def retry(self) -> None:
        """A few of those for which nobody answered, wherever they are; all of them as soon as somebody answers."""
        self._plan_retry()
        waiting = list(self._unanswered)
        first = waiting[:: -(-len(waiting) // self._batch)]  # from the whole length, so that each server is asked
        if await self._compare_batch(first):
            done = set(first)
            await self.compare([i for i in waiting if i not in done])

    def ask_again(self, tournament_ids: Sequence[int]) -> None:
        """Nobody answers for these: ask again soon."""
        if tournament_ids and not self._unanswered:
            self._plan_retry()
        self._unanswered.update(dict.fromkeys(tournament_ids))

    def _plan_retry(self) -> None:
        """Up to a third sooner than RETRY_MS, so that many owners do not come back at the same moment."""
        self._next_retry_ms = self._clock_ms() + round(RETRY_MS * (1 - self._draw() / 3))

    async def _compare_batch(self, tournament_ids: Sequence[int]) -> bool:
        """Compare some; False when nobody answered for any of them."""
        epochs: dict[int, int] = {}
        for tournament_id in tournament_ids:
            entry = self._entries.get(tournament_id)
            if entry is not None and not entry.busy:
                epochs[tournament_id] = entry.entity.epoch
            else:
                self._unanswered.pop(tournament_id, None)
        if not epochs:
            return True
        try:
            held = await self._read_model.positions(epochs)
        except ReadModelUnavailableError as error:
            logger.warning("read models not compared: %s", error)
            held = {}
        for tournament_id, position in held.items():
            self._unanswered.pop(tournament_id, None)
            self._compare(tournament_id, position)
        self.ask_again([i for i in epochs if i not in held])
        return bool(held)
