"""Reads of an owner that come at about the same time as one call: a call between two processes costs 1.5 ms of CPU whatever it carries.

A read goes at once if the last call began BATCH_S ago; else with all that come until then. What an owner could not answer at once (it would
wait for the next update, or for the records) is asked for alone, so that nobody waits for another's tournament.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from storage.ports import OwnerUnavailableError, Query

BATCH_S: Final = 0.01
MAX_BATCH: Final = 200  # reads in a call: more of them go in several
MAX_WAITING: Final = 5000  # reads of an owner that wait for their call

Call = Callable[..., Awaitable[Any]]  # (owner, method, arguments)


@dataclass(slots=True)
class _Lane:
    """What waits for one owner."""

    reads: list[tuple[int, int, Query[Any]]] = field(default_factory=list)
    answers: list[asyncio.Future[Any]] = field(default_factory=list)
    due_s: float = 0.0  # before this no call begins


class ReadBatches:
    """See the module; `call` makes a call and raises what went wrong."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lanes: dict[str, _Lane] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def read(self, owner: str, partition: int, tournament_id: int, query: Query[Any]) -> Any:
        """The owner's answer, as of some moment after this call began. Raises what the owner raised, OwnerUnavailableError when too
        many wait."""
        lane = self._lanes.get(owner)
        if lane is None:
            lane = self._lanes[owner] = _Lane()
        if len(lane.reads) >= MAX_WAITING:
            raise OwnerUnavailableError(f"{MAX_WAITING} reads wait for {owner}")
        loop = asyncio.get_running_loop()
        if not lane.reads:
            loop.call_at(max(lane.due_s, loop.time()), self._flush, owner, lane)
        answered: asyncio.Future[Any] = loop.create_future()
        lane.reads.append((partition, tournament_id, query))
        lane.answers.append(answered)
        answer = await answered
        if answer is None:
            return await self._call(owner, "read", partition, tournament_id, query)
        return answer

    def _flush(self, owner: str, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        reads, lane.reads = lane.reads, []
        answers, lane.answers = lane.answers, []
        lane.due_s = loop.time() + BATCH_S
        for at in range(0, len(reads), MAX_BATCH):
            work = self._ask(owner, reads[at : at + MAX_BATCH], answers[at : at + MAX_BATCH])
            task = loop.create_task(work)
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _ask(
        self, owner: str, reads: list[tuple[int, int, Query[Any]]], answers: list[asyncio.Future[Any]]
    ) -> None:
        try:
            found = await self._call(owner, "read_many", reads)
        except Exception as error:
            found = [error] * len(reads)
        for answered, answer in zip(answers, found, strict=True):
            if answered.done():
                continue  # who asked has gone
            if isinstance(answer, Exception):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)
