"""An asyncio event loop on virtual time: nothing waits, and the same program takes the same course."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualLoop(asyncio.BaseEventLoop):
    """When nothing is ready, time jumps to the next timer. No sockets; what is meant for a thread is done at once."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self  # the base class only ever calls `select` on it
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise RuntimeError("the simulation is stuck: nothing is ready and no timer is set")
        self._now += timeout
        return []

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def _process_events(self, event_list: list[object]) -> None:
        """There are none: `select` returns nothing."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end of `main`, then cancel whatever is left."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
