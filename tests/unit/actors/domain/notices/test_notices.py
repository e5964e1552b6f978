"""Events, notices, settings and retries: what they are and say."""

from __future__ import annotations

import base64

import pytest

from actors.domain.notices.events import (
    CHANNELS,
    EVENTS,
    Channel,
    Notice,
    NoticeEvent,
    decode_event,
    encode_event,
    notice_body,
    notice_key,
)
from actors.domain.notices.retries import LONGEST_MS, MAX_ATTEMPTS, channel_pause_ms, retry_pause_ms
from actors.domain.notices.secrets import webhook_secret
from actors.domain.notices.settings import (
    DEFAULTS,
    NotificationSettings,
    PushKeys,
    PushSubscription,
    channel_bit,
    channel_bits,
)

EVENT = NoticeEvent(event="ended", tournament_id=5, name="Spring", at_ms=1_790_000_000_000, details={"a": "b"})


def test_an_event_comes_back() -> None:
    assert decode_event(encode_event(EVENT)) == EVENT


def test_what_programs_get() -> None:
    notice = Notice(key=notice_key(5, "ended-12-0", 7), event=EVENT, user_id=7, rank=2, score=9.5)
    assert notice_body(notice, "Title", "Text") == {
        "type": "notice", "key": "5.ended-12-0.7", "event": "ended", "tournament": "5", "name": "Spring", "user_id": "7",
        "at": "2026-09-21T14:13:20.000Z", "starts_at": None, "ends_at": None, "rank": 2, "score": 9.5,
        "details": {"a": "b"}, "title": "Title", "text": "Text",
    }  # fmt: skip
    assert "rank" not in notice_body(Notice(key="k", event=NoticeEvent(**STARTED), user_id=7), "", "")


STARTED = {"event": "started", "tournament_id": 5, "name": "Spring", "at_ms": 1}


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


def test_pauses_grow_and_end() -> None:
    pauses = [retry_pause_ms(attempts, 10_000) for attempts in range(1, MAX_ATTEMPTS + 1)]
    assert pauses[:4] == [10_000, 30_000, 90_000, 270_000]
    assert pauses[-2:] == [LONGEST_MS, None]
    assert sum(pause or 0 for pause in pauses) > 16 * 3600_000
    assert [channel_pause_ms(failures) for failures in (1, 2, 3, 7, 100)] == [1000, 2000, 4000, 60_000, 60_000]


def test_a_webhooks_secret_is_the_users_own() -> None:
    one, two = webhook_secret(b"master", 1), webhook_secret(b"master", 2)
    assert one != two
    assert one == webhook_secret(b"master", 1) != webhook_secret(b"other", 1)
    assert len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) == 32
