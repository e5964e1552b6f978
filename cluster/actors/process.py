"""What every actor process does at its edges: settle once it has started, fail loudly when a background task dies, stop in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NoReturn

from prometheus_client import Histogram

logger = logging.getLogger(__name__)

EXIT_BROKEN: Final = 17  # Ray restarts the actor; a dead background task would otherwise go unnoticed


def end_process(reason: str, error: BaseException | None = None) -> NoReturn:
    """End this process with EXIT_BROKEN, saying why; without `error` the one being handled."""
    logger.critical("%s: the process starts anew", reason, exc_info=error or True)
    logging.shutdown()
    os._exit(EXIT_BROKEN)


# New objects from which the collector looks at the youngest, and how many of its looks until it looks further. Python's own 700, 10, 10 cost
# a gateway a fifth of its time (measured): what a request makes goes by itself, and what stays is mostly other people's modules. At these
# thresholds the collector never comes to its oldest generation: `FullCollections` does.
COLLECT_AFTER: Final = (50_000, 20, 50)

CHECK_INTERVAL_S: Final = 5.0
QUIET_CORES: Final = 0.2  # of processor time since the last check; below, nobody waits for what a collection holds up
QUIET_INTERVAL_S: Final = 30.0  # between full collections at quiet moments
BUSY_INTERVAL_S: Final = 300.0  # a process that is never quiet collects all the same
PAUSE_SHARE: Final = 0.005  # of the time, at most, goes to full collections
NEW_SHARE: Final = 0.25  # of what the last one kept must be new, as Python's own collector has it

PAUSE_SECONDS: Final = Histogram(
    "palio_collection_seconds",
    "Time that a full collection of garbage held a process up.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)


def settle() -> None:
    """To be called on the running loop once a process has started.

    What is loaded stays, so the collector need not walk it, and looks less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    FullCollections().start()


class FullCollections:
    """Collects all of a process's garbage at quiet moments, and at last at busy ones, if enough is new since the last time.

    A collection walks everything that was made since `settle`, and holds the process up meanwhile: about a microsecond an object, and a
    live socket has 70 of them. So it is rare: PAUSE_SHARE of the time at most, and only once a good part of all that is would be new.
    """

    def __init__(
        self, now_s: Callable[[], float] = time.monotonic, used_s: Callable[[], float] = time.process_time
    ) -> None:
        self._now_s = now_s
        self._used_s = used_s
        self._checked_s, self._checked_used_s = now_s(), used_s()
        self._collected_s = self._checked_s
        self._pause_s = 0.0
        self._kept = 0  # objects, by the last collection

    def start(self) -> None:
        """Check regularly, on the running loop, for as long as it runs."""
        asyncio.get_running_loop().call_later(CHECK_INTERVAL_S, self._check_again)

    def check(self) -> bool:
        """Collect if it is time to; whether it was."""
        now_s, used_s = self._now_s(), self._used_s()
        quiet = used_s - self._checked_used_s < QUIET_CORES * (now_s - self._checked_s)
        self._checked_s, self._checked_used_s = now_s, used_s
        interval_s = max(QUIET_INTERVAL_S if quiet else BUSY_INTERVAL_S, self._pause_s / PAUSE_SHARE)
        if now_s - self._collected_s < interval_s or _new_objects() < max(COLLECT_AFTER[0], NEW_SHARE * self._kept):
            return False
        gc.collect()
        self._collected_s = self._now_s()
        self._pause_s = self._collected_s - now_s
        self._kept = len(gc.get_objects())
        PAUSE_SECONDS.observe(self._pause_s)
        return True

    def _check_again(self) -> None:
        self.check()
        self.start()


def _new_objects() -> int:
    """How many objects more than at the last full collection were made and stayed, as the collector counts them: roughly, and not too few."""
    newest, young, middle = gc.get_count()
    return newest + COLLECT_AFTER[0] * (young + COLLECT_AFTER[1] * middle)


async def regularly(pause_s: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do `work` again and again, with a pause before each time."""
    while True:
        await asyncio.sleep(pause_s)
        await work()


class Background:
    """The background tasks of a process. One that ends by itself, or fails, ends the process: Ray starts it anew."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` for as long as the process lives."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(self._done)
        self._tasks[name] = task

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._stopping or task.cancelled():
            return
        end_process(f"background task {task.get_name()} ended", task.exception())

    async def stop(self) -> None:
        """Cancel all and wait for them."""
        self._stopping = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
