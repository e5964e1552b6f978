"""`Worker`: the base of every Ray actor that works beside the tournaments on what the records hold, one of each kind in a Palio.

A new one is a subclass that says three things; `cluster.startup.bootstrap` starts and stops it:

- `name`: what the log calls its work;
- `begin`: makes what it needs and starts its loops with `repeat`;
- `end`: closes what `begin` made.

The rest is here. It begins as soon as the records answer. What a store refuses for now is warned of and tried again after AWAY_S, for as
long as it takes. Any other error ends the process; Ray starts it anew, so what it has done must stand in the records, and it goes on there.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Final

from cluster.actors.process import Background, end_process, settle
from cluster.config.settings import Settings
from cluster.startup.ports import open_records, set_up_logging
from storage.ports import Records, RecordsUnavailableError, StorageError

logger = logging.getLogger(__name__)

AWAY_S: Final = 1.0  # from one try to the next while a store does not answer


def start_or_end(name: str, starting: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run an actor's start. One that fails for good ends the process, so that Ray tries it anew: else it would live on and do nothing."""

    async def started() -> None:
        try:
            await starting
        except Exception:
            end_process(f"{name} did not start")

    return asyncio.get_running_loop().create_task(started())


async def records_once_there(name: str, settings: Settings) -> Records:
    """The durable store, as soon as it answers. Raises StorageVersionError."""
    while True:
        try:
            return await open_records(settings)
        except RecordsUnavailableError as error:
            logger.warning("%s waits for the records: %s", name, error)
            await asyncio.sleep(AWAY_S)


class Worker(ABC):
    """See the module."""

    name: ClassVar[str]

    def __init__(self, settings: Settings) -> None:
        set_up_logging(settings)
        self.settings = settings
        self._background = Background()
        self._started = start_or_end(self.name, self._start())

    @abstractmethod
    async def begin(self, records: Records) -> None:
        """Make what it needs and start its loops. The records are closed for it."""

    @abstractmethod
    async def end(self) -> None:
        """Close what `begin` made; its loops have ended. Whatever was under way, the next one does again."""

    def repeat(
        self,
        what: str,
        pause_s: float,
        work: Callable[[], Awaitable[object]],
        wake: asyncio.Event | None = None,
    ) -> None:
        """Do `work` now, and again after each pause, which `wake` ends early. `what` names this loop of the worker's."""
        name = f"{self.name}: {what}"
        self._background.start(name, _repeat(name, pause_s, work, wake or asyncio.Event()))

    async def ready(self) -> bool:
        """True once it works, or waits for the records: nobody waits for it."""
        return True

    async def stop(self) -> None:
        """Stop where it is."""
        if not self._started.done():
            self._started.cancel()
            return
        await self._background.stop()
        await self.end()
        await self._records.close()

    async def _start(self) -> None:
        self._records = await records_once_there(self.name, self.settings)
        await self.begin(self._records)
        settle()


async def _repeat(name: str, pause_s: float, work: Callable[[], Awaitable[object]], wake: asyncio.Event) -> None:
    while True:
        wait_s = pause_s
        try:
            await work()
        except StorageError as error:
            logger.warning("%s waits: %s", name, error)
            wait_s = AWAY_S
        try:
            async with asyncio.timeout(wait_s):
                await wake.wait()
        except TimeoutError:
            pass
        wake.clear()
