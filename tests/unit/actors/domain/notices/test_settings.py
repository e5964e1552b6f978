"""What a user wants to be told."""

from __future__ import annotations

import pytest

from actors.domain.notices.events import CHANNELS, EVENTS, Channel
from actors.domain.notices.settings import (
    DEFAULTS,
    NotificationSettings,
    PushKeys,
    PushSubscription,
    channel_bit,
    channel_bits,
)


def test_in_the_beginning_there_are_live_notices_of_all_but_being_overtaken() -> None:
    told = {(channel, event) for channel in CHANNELS for event in EVENTS if DEFAULTS.wants(channel, event)}
    assert told == {("live", event) for event in EVENTS if event != "overtaken"}


@pytest.mark.parametrize(
    ("channel", "more"),
    [
        ("email", {"email": "a@example.org"}),
        ("push", {"push_subscriptions": (PushSubscription("https://x", PushKeys("", "")),)}),
        ("webhook", {"webhook_url": "https://x"}),
    ],
)
def test_a_channel_needs_an_address(channel: Channel, more: dict[str, object]) -> None:
    assert not NotificationSettings(channels=(channel,)).wants(channel, "ended")
    whole = NotificationSettings(channels=(channel,), overtaken=True, opt_out=("started",), **more)  # type: ignore[arg-type]
    assert [whole.wants(channel, event) for event in ("ended", "overtaken", "started")] == [True, True, False]
    assert not NotificationSettings(channels=(), **more).wants(channel, "ended")  # type: ignore[arg-type]


def test_channels_as_bits() -> None:
    assert [channel_bit(channel) for channel in CHANNELS] == [1, 2, 4, 8]
    assert channel_bits(NotificationSettings(channels=("live", "webhook"))) == 9
