"""`NotifierActor`: a Ray actor around `actors.notifier`, one in a Palio. What it has done is in the records: a restarted one goes on there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from actors.domain.notices.events import Channel
from actors.notifier.notifier import Notifier, NotifierConfig
from actors.notifier.overtaken import Overtaken
from actors.notifier.sender import Sender
from cluster.actors.directory import RayOwners
from cluster.actors.metrics import NotifierMetrics
from cluster.actors.process import Background, end_process, settle
from cluster.actors.updates import connect_updates
from cluster.config.settings import Settings
from cluster.startup.ports import clock_ms, notices_of, open_channels, open_records, plan_of, set_up_logging
from storage.channels.templates import Templates
from storage.ports import RecordsUnavailableError

logger = logging.getLogger(__name__)

INTAKE_S: Final = 0.5
SOON_S: Final = 5.0
OVERTAKEN_S: Final = 5.0
PRUNE_S: Final = 600.0
IDLE_S: Final = 5.0  # a channel without work looks for some this often, and at once when an event comes
AWAY_S: Final = 1.0  # while the records, or the channel's server, are away


class NotifierActor:
    """See the module."""

    def __init__(self, settings: Settings) -> None:
        set_up_logging(settings)
        self._settings = settings
        self._background = Background()
        self._started = asyncio.get_running_loop().create_task(self._start_or_end())

    async def _start_or_end(self) -> None:
        try:
            await self._start()
        except Exception:
            end_process("the notifier did not start")

    async def _start(self) -> None:
        settings = self._settings
        while True:
            try:
                self._records = await open_records(settings)
                break
            except RecordsUnavailableError as error:
                logger.warning("the notifier waits for the records: %s", error)
                await asyncio.sleep(AWAY_S)
        notices = notices_of(settings, self._records)
        self._updates = connect_updates(settings)
        self._channels = open_channels(settings, self._updates)
        rates: dict[Channel, float] = {
            "live": settings.notification_live_rate,
            "email": settings.notification_email_rate,
            "push": settings.notification_push_rate,
            "webhook": settings.notification_webhook_rate,
        }
        self._notifier = Notifier(
            notices,
            self._channels,
            Templates(page_url=settings.notification_page_url or ""),
            clock_ms,
            NotifierConfig(
                soon_ms=round(settings.notification_soon_s * 1000),
                keep_ms=round(settings.notification_keep_s * 1000),
                first_retry_ms=round(settings.notification_retry_s * 1000),
                rates=rates,
            ),
        )
        overtaken = Overtaken(
            notices,
            self._records,
            RayOwners(plan_of(settings), settings.owner_call_timeout_s),
            self._notifier.channels,
            clock_ms,
            round(settings.notification_overtaken_s * 1000),
        )
        self._wake = {sender.name: asyncio.Event() for sender in self._notifier.senders}
        self._metrics = NotifierMetrics(self._notifier)
        settle()
        self._background.start("intake", self._regularly(INTAKE_S, self._notifier.intake))
        self._background.start("soon", self._regularly(SOON_S, self._notifier.soon))
        self._background.start("overtaken", self._regularly(OVERTAKEN_S, overtaken.look))
        self._background.start("prune", self._regularly(PRUNE_S, self._notifier.prune))
        self._background.start("metrics", self._measure())
        for sender in self._notifier.senders:
            self._background.start(sender.name, self._send(sender))

    async def ready(self) -> bool:
        """True once it runs."""
        await self._started
        return True

    async def stop(self) -> None:
        """Stop; what is not told stays in the records."""
        await self._started
        await self._background.stop()
        for channel in self._channels.values():
            await channel.close()
        await self._updates.close()
        await self._records.close()

    async def _regularly(self, pause_s: float, work: Callable[[], Awaitable[int]]) -> None:
        """Do `work` again and again; where it made jobs, the channels look at once."""
        while True:
            try:
                if await work():
                    for event in self._wake.values():
                        event.set()
            except RecordsUnavailableError as error:
                logger.warning("notices wait for the records: %s", error)
                await asyncio.sleep(AWAY_S)
            await asyncio.sleep(pause_s)

    async def _send(self, sender: Sender) -> None:
        wake = self._wake[sender.name]
        while True:
            wait_s = IDLE_S
            try:
                if await sender.round():
                    continue
                if sender.failures or sender.waits:
                    wait_s = AWAY_S
            except RecordsUnavailableError as error:
                logger.warning("notices by %s wait for the records: %s", sender.name, error)
                wait_s = AWAY_S
            try:
                async with asyncio.timeout(wait_s):
                    await wake.wait()
            except TimeoutError:
                pass
            wake.clear()

    async def _measure(self) -> None:
        while True:
            self._metrics.update(clock_ms())
            await asyncio.sleep(1)
