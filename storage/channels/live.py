"""Notices on live sockets: given to the broker, a batch a publication, for every gateway, which has the users' sockets.

Who has no socket now does not get it. What is lost between the broker and a gateway is not sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from actors.domain.notices.events import Channel, notice_body
from actors.domain.publications import NOTICES_CHANNEL, encode_notices
from storage.ports import SENT, Delivery, Letter, Updates


class LiveChannel:
    """See `storage.ports.NoticeChannel`. The updates belong to whoever opened them."""

    name: Final[Channel] = "live"

    def __init__(self, updates: Updates) -> None:
        self._updates = updates

    async def send(self, letters: Sequence[Letter]) -> list[Delivery]:
        """See `NoticeChannel.send`. A broker that is away counts the loss itself."""
        batch = [
            (letter.notice.user_id, msgspec.json.encode(notice_body(letter.notice, letter.title, letter.text)))
            for letter in letters
        ]
        await self._updates.publish([(NOTICES_CHANNEL, encode_notices(batch))])
        return [SENT] * len(letters)

    async def close(self) -> None:
        """See `NoticeChannel.close`."""
