"""What every actor process does at its edges: settle once it has started, fail loudly when a background task dies, stop in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Coroutine
from typing import Any, Final, NoReturn

logger = logging.getLogger(__name__)

EXIT_BROKEN: Final = 17  # Ray restarts the actor; a dead background task would otherwise go unnoticed


def end_process(reason: str, error: BaseException | None = None) -> NoReturn:
    """End this process with EXIT_BROKEN, saying why; without `error` the one being handled."""
    logger.critical("%s: the process starts anew", reason, exc_info=error or True)
    logging.shutdown()
    os._exit(EXIT_BROKEN)


# New objects from which the collector looks at the youngest, and how many of its looks until it looks further. Python's own 700, 10, 10 cost
# a gateway a fifth of its time (measured): what a request makes goes by itself, and what stays is mostly other people's modules.
COLLECT_AFTER: Final = (50_000, 20, 50)


def settle() -> None:
    """To be called once a process has started: what is loaded stays, so that the collector need not walk it, and it looks less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


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
