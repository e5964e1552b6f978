"""Hands dedicated tournaments that are over to the shared scopes of their partitions, by a record in the log.

The record is where its own scope ends and the shared one goes on, for whoever reads the log. To append one more is harmless: the first counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from actors.domain.messages import HandOver, encode_message
from actors.domain.signing import Signer
from actors.owner.entity import Scope
from storage.ports import LogUnavailableError, NewRecord, ScoreLog

logger = logging.getLogger(__name__)

REPEAT_MS: Final = 4000  # after which one that was not read yet is appended again


class HandOvers:
    """Of the dedicated ones among `scopes`, by (partition, tournament). `instance` names the owner; `clock_ms` only says when to append."""

    def __init__(
        self,
        log: ScoreLog,
        signer: Signer,
        scopes: Mapping[tuple[int, int], Scope],
        instance: str,
        clock_ms: Callable[[], int],
    ) -> None:
        self._log = log
        self._signer = signer
        self._scopes = scopes
        self._instance = instance
        self._clock_ms = clock_ms
        self._appended_ms: dict[int, int] = {}  # by tournament

    async def append_due(self) -> int:
        """Append a record for each tournament that is over and durable, again while it is not read; returns how many."""
        ended = [s for (_, number), s in self._scopes.items() if number and s.ended and s.ready and not s.closed]
        self._appended_ms = {s.tournament: at for s in ended if (at := self._appended_ms.get(s.tournament)) is not None}
        now_ms = self._clock_ms()
        due = []
        for scope in ended:
            waited_ms = now_ms - self._appended_ms.get(scope.tournament, now_ms - REPEAT_MS)
            if not 0 <= waited_ms < REPEAT_MS:
                self._appended_ms[scope.tournament] = now_ms
                due.append(self._record(scope))
        if due:
            try:
                await self._log.append(due)
            except LogUnavailableError as error:
                logger.warning("tournaments not handed over, it will be tried again: %s", error)
        return len(due)

    def _record(self, scope: Scope) -> NewRecord:
        key = str(scope.tournament).encode()
        value = encode_message(HandOver(command_id=f"{self._instance}:{scope.tournament}"[:64]))
        return NewRecord(scope.partition, key, value, self._signer.sign(key, value))
