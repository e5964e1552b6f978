"""From what a standard says to the score log: tournaments found as the caller may see them, records made by the rules of every submission."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.handlers.scores import ScoreHandlers
from serve_app.http.messages import Principal
from serve_app.http.problems import Problem
from serve_app.services.known import Known
from serve_app.services.reads import Reads
from serve_app.services.retention import Appends
from storage.ports import NewRecord

FIND_AT_ONCE: Final = 16
REMEMBERED: Final = 100_000
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Submissions:
    """See the module. `entrypoint` is the metrics' label."""

    callers: Callers
    reads: Reads
    appends: Appends
    scores: ScoreHandlers
    config: FrontConfig
    entrypoint: str

    async def targets(self, tournaments: Iterable[str], principal: Principal) -> dict[str, Known | Problem]:
        """Each tournament with its rules, or the 404 by which it is none to this caller. Raises Problem 503 when that cannot be told."""
        gate = asyncio.Semaphore(FIND_AT_ONCE)

        async def find(tournament: str) -> Known | Problem:
            async with gate:
                try:
                    known = await self.scores.target(tournament, principal)
                except Problem as problem:
                    if problem.status != 404:
                        raise
                    return problem
                await self.reads.learn_rules(known)
                return known

        names = list(dict.fromkeys(tournaments))
        return dict(zip(names, await asyncio.gather(*map(find, names)), strict=True))

    def count(self, principal: Principal, client: str, more: int) -> None:
        """So many scores of one request beyond the first count against a player's rate, as if they had come alone. Raises Problem 429."""
        if not principal.privileged:
            for _ in range(more):
                self.callers.count(principal, client)

    async def append(self, records: Sequence[NewRecord], kind: str) -> list[int]:
        """Their offsets, durable. Raises what the log raises; with no records, nothing happens."""
        return await self.appends.accept(records, kind, self.entrypoint, self.config.append_timeout_s)


class Remembered(Generic[K, V]):
    """What a process took lately, at most `limit` entries; the least recent is forgotten. So a conflict is told where it is known."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is remembered."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember it as the newest."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
