"""A way to tell users something: e-mail, web push, webhooks, live sockets.

Guarantees
- Delivery: `sent` means that the receiver's server took the letter (on live sockets: that it was given to the broker). What becomes of it
  there is not known. A letter that was sent may be sent again: it has a key by which a receiver can tell.
- Order: none.
- Isolation: a receiver that fails, hangs or answers nonsense touches its own letter alone, and no call takes longer than its time limit.
  Where the channel's own server is away, the letters that it did not take are `unavailable`, and it is tried again later, with all of them.
- Privacy: no answer and no log line holds an address or a letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from actors.domain.notices.events import Channel, Notice
from actors.domain.notices.settings import NotificationSettings


class Letter(NamedTuple):
    """A notice in its user's language: `title` and `text` without markup, `html` a whole document."""

    notice: Notice
    settings: NotificationSettings
    title: str
    text: str
    html: str


class Delivery(NamedTuple):
    """What became of a letter. `reason` is one of few words, for metrics.

    - `sent`.
    - `later`: this receiver did not take it now; another try may help.
    - `refused`: it never will be taken.
    - `unavailable`: the channel's own server does not answer; nothing is known of the receiver.

    `gone`: push subscriptions (by endpoint) that there are no more, whatever became of the letter.
    """

    outcome: Literal["sent", "later", "refused", "unavailable"]
    reason: str = ""
    gone: tuple[str, ...] = ()


SENT = Delivery("sent")


class NoticeChannel(Protocol):
    """See the module's guarantees."""

    @property
    def name(self) -> Channel:
        """Which channel it is."""

    async def send(self, letters: Sequence[Letter]) -> list[Delivery]:
        """Send letters to users who want this channel; what became of each, in their order. Raises nothing."""

    async def close(self) -> None:
        """Release connections. A second call does nothing."""
