"""`NotifierActor`: a Ray actor around `actors.notifier`, one in a Palio. What it has done is in the records: a restarted one goes on there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from actors.domain.notices.events import Channel, Notice
from actors.domain.notices.settings import NotificationSettings
from actors.domain.signing import Signer
from actors.notifier.notifier import Notifier, NotifierConfig
from actors.notifier.overtaken import Overtaken
from actors.notifier.sender import Sender
from cluster.actors.directory import RayOwners
from cluster.actors.metrics import NotifierMetrics
from cluster.actors.updates import connect_updates
from cluster.actors.worker import AWAY_S, Worker
from cluster.startup.ports import clock_ms, notices_of, open_channels, plan_of, signer_of
from serve_app.security.invites import with_invite
from storage.channels.templates import Templates
from storage.ports import Letter, Records

INTAKE_S: Final = 0.5
SOON_S: Final = 5.0
OVERTAKEN_S: Final = 5.0
PRUNE_S: Final = 600.0
IDLE_S: Final = 5.0  # a channel without work looks for some this often, and at once when an event comes
MEASURE_S: Final = 1.0


class NotifierActor(Worker):
    """See the module."""

    name = "notices"

    async def begin(self, records: Records) -> None:
        """As Worker.begin."""
        settings = self.settings
        notices = notices_of(settings, records)
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
            _Letters(Templates(page_url=settings.notification_page_url or ""), signer_of(settings)),
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
            records,
            RayOwners(plan_of(settings), settings.owner_call_timeout_s),
            self._notifier.channels,
            clock_ms,
            round(settings.notification_overtaken_s * 1000),
        )
        self._wake = {sender.name: asyncio.Event() for sender in self._notifier.senders}
        self._metrics = NotifierMetrics(self._notifier)
        self.repeat("intake", INTAKE_S, self._waking(self._notifier.intake))
        self.repeat("soon", SOON_S, self._waking(self._notifier.soon))
        self.repeat("overtaken", OVERTAKEN_S, self._waking(overtaken.look))
        self.repeat("prune", PRUNE_S, self._notifier.prune)
        self.repeat("metrics", MEASURE_S, self._measure)
        for sender in self._notifier.senders:
            self.repeat(sender.name, IDLE_S, partial(_send, sender), self._wake[sender.name])

    async def end(self) -> None:
        """As Worker.end. What is not told stays in the records."""
        for channel in self._channels.values():
            await channel.close()
        await self._updates.close()

    def _waking(self, work: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[None]]:
        """The work; where it made jobs, the channels look at once."""

        async def worked() -> None:
            if await work():
                for event in self._wake.values():
                    event.set()

        return worked

    async def _measure(self) -> None:
        self._metrics.update(clock_ms())


class _Letters:
    """Letters by the templates; that of an invitation has the invite, which is not stored."""

    def __init__(self, templates: Templates, signer: Signer) -> None:
        self._templates = templates
        self._signer = signer

    def letter(self, notice: Notice, settings: NotificationSettings) -> Letter:
        """As `actors.notifier.sender.Letters`."""
        return self._templates.letter(with_invite(self._signer, notice), settings)


async def _send(sender: Sender) -> None:
    """All that there is to tell, and while the channel's server is away or a letter waits for its next try, look again and again."""
    while True:
        busy = await sender.round()
        if not busy:
            if not (sender.failures or sender.waits):
                return
            await asyncio.sleep(AWAY_S)
