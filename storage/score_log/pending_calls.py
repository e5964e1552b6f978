"""Calls that wait for a log to take their records, each with a time limit, and one timer for all of them.

A timer a call costs more than a tenth of what an entrypoint does for a score, and next to none of them ever goes off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from storage.ports.errors import LogUnavailableError

TICK_S: Final = 0.05  # a call ends at most so much later than its limit says


class Call(Protocol):
    """A call in a writer's hands: its future gets the outcome."""

    future: asyncio.Future[Any]


C = TypeVar("C", bound=Call)


class LogCalls(Generic[C]):
    """`withdraw(call)` takes a call back: False when the writer may have sent some of it, so that its outcome is undecided.

    Belongs to one event loop. Calls are kept by the tick in which they end; the timer runs while there are any.
    """

    def __init__(self, withdraw: Callable[[C], bool]) -> None:
        self._withdraw = withdraw
        self._due: dict[int, dict[C, float]] = {}  # tick -> {call: its limit in s}
        self._running = False

    def start(self, call: C, timeout_s: float) -> asyncio.Future[Any]:
        """The call's future. It fails with LogUnavailableError when it has no result after `timeout_s`; then, and when it is cancelled (as
        by a task that awaits it), the call is withdrawn.
        """
        loop = asyncio.get_running_loop()
        due = self._due.setdefault(int((loop.time() + timeout_s) / TICK_S) + 1, {})
        due[call] = timeout_s
        if not self._running:
            self._running = True
            loop.call_later(TICK_S, self._expire_due, loop)

        def ended(future: asyncio.Future[Any]) -> None:
            due.pop(call, None)
            if future.cancelled():
                self._withdraw(call)

        call.future.add_done_callback(ended)
        return call.future

    def _expire_due(self, loop: asyncio.AbstractEventLoop) -> None:
        now = int(loop.time() / TICK_S)
        for tick in [tick for tick, calls in self._due.items() if tick <= now or not calls]:
            for call, timeout_s in self._due.pop(tick).items():
                self._expire(call, timeout_s)
        self._running = bool(self._due)
        if self._running:
            loop.call_later(TICK_S, self._expire_due, loop)

    def _expire(self, call: C, timeout_s: float) -> None:
        if call.future.done():
            return
        state = "nothing was appended" if self._withdraw(call) else "whether it was appended is unknown"
        call.future.set_exception(LogUnavailableError(f"the log did not answer within {timeout_s:g} s; {state}"))


def nothing_appended() -> asyncio.Future[list[int]]:
    """The outcome of a call without records."""
    future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    future.set_result([])
    return future
