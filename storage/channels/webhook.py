"""Notices by webhook: a signed POST to a URL of the user's (Standard Webhooks): `webhook-id` is the notice's key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from standardwebhooks import Webhook

from actors.domain.notices.events import Channel, notice_body
from actors.domain.notices.secrets import webhook_secret
from storage.channels.http import Caller, CallError, InternalAddressError
from storage.ports import SENT, Delivery, Letter

GONE: Final = 410


class WebhookChannel:
    """See `storage.ports.NoticeChannel`. `master`: what users' secrets are derived from."""

    name: Final[Channel] = "webhook"

    def __init__(self, caller: Caller, master: bytes, clock_ms: Callable[[], int]) -> None:
        self._caller = caller
        self._master = master
        self._clock_ms = clock_ms

    async def send(self, letters: Sequence[Letter]) -> list[Delivery]:
        """See `NoticeChannel.send`."""
        return await asyncio.gather(*map(self._post, letters))

    async def _post(self, letter: Letter) -> Delivery:
        notice, url = letter.notice, letter.settings.webhook_url
        if url is None:
            return Delivery("refused", "no_address")
        body = msgspec.json.encode(notice_body(notice, letter.title, letter.text)).decode()
        now_s = self._clock_ms() // 1000
        webhook = Webhook(webhook_secret(self._master, notice.user_id))
        headers: dict[bytes | str, bytes | str] = {
            "content-type": "application/json",
            "webhook-id": notice.key,
            "webhook-timestamp": str(now_s),
            # it takes a naive time for one of UTC, and one of another zone, too; and bodies of text alone
            "webhook-signature": webhook.sign(notice.key, datetime.fromtimestamp(now_s, UTC), body),
        }
        try:
            status = await self._caller.post(url, body.encode(), headers)
        except InternalAddressError:
            return Delivery("refused", "internal_address")
        except CallError as error:
            return Delivery("later", str(error))
        if 200 <= status < 300:
            return SENT
        if status == GONE:
            return Delivery("refused", "gone", (url,))
        return Delivery("later", f"status_{status // 100}xx")

    async def close(self) -> None:
        """See `NoticeChannel.close`."""
        await self._caller.close()
