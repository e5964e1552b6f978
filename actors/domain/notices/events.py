"""What may be told: an event of a tournament, once for all whom it concerns, and a notice, which tells one of them.

An event comes from the outbox, or is announced by who finds it. Its key is its own within its tournament; that of a notice names the user,
too, so that who is told twice (each channel delivers at least once) can drop the second one.
"""

from __future__ import annotations

from typing import Final, Literal, NotRequired, TypedDict, get_args

import msgspec

from actors.domain.messages.spec import Display
from actors.domain.values import rfc3339

EventName = Literal["starting_soon", "started", "ended", "overtaken", "prize_won", "invited", "cancelled", "reopened"]
Channel = Literal["live", "email", "push", "webhook"]
EVENTS: Final[tuple[EventName, ...]] = get_args(EventName)
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
NOTICE_KIND: Final = "notice"  # of the outbox rows that are events
MAX_KEY_CHARS: Final = 100


class NoticeEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to tell about the tournament called `name`; times in ms since 1970, `at_ms` by the log's clock.

    `user_id` 0: all who had joined by then. `rank`: the user's, where the event is about it. `details` are texts for templates and programs
    (a prize, an invitation, a reason), few and short. `display`: how the tournament shows scores, where it says so.
    """

    event: EventName
    tournament_id: int
    name: str
    at_ms: int
    starts_ms: int | None = None
    ends_ms: int | None = None
    user_id: int = 0
    rank: int | None = None
    details: dict[str, str] = {}
    display: Display | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """An event told to one user: the name under which they take part, their rank (of a table that may yet change, but for `ended`)."""

    key: str
    event: NoticeEvent
    user_id: int
    user_name: str | None = None
    rank: int | None = None
    score: float | None = None


_events: Final = msgspec.json.Decoder(NoticeEvent)


def encode_event(event: NoticeEvent) -> bytes:
    """An event as JSON."""
    return msgspec.json.encode(event)


def decode_event(payload: bytes) -> NoticeEvent:
    """The inverse. Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _events.decode(payload)


def notice_key(tournament_id: int, event_key: str, user_id: int) -> str:
    """The key of a notice: the same however often it is delivered, and on whichever channel."""
    return f"{tournament_id}.{event_key}.{user_id}"


class NoticeMessage(TypedDict):
    """What happened to one of the user's tournaments. It may come twice, with the same `key`. Times are RFC 3339 in UTC.

    `rank` and `score` are there where the event is about them, null for one without a score. `title` and `text` are for people.
    """

    type: Literal["notice"]
    key: str
    event: EventName
    tournament: str
    name: str
    user_id: str
    at: str
    starts_at: str | None
    ends_at: str | None
    rank: NotRequired[int | None]
    score: NotRequired[float | None]
    details: NotRequired[dict[str, str]]
    title: str
    text: str


def notice_body(notice: Notice, title: str, text: str) -> NoticeMessage:
    """A notice as programs get it: on live sockets, by webhook and by push. `title` and `text` are for people."""
    event = notice.event
    body: NoticeMessage = {
        "type": "notice",
        "key": notice.key,
        "event": event.event,
        "tournament": str(event.tournament_id),
        "name": event.name,
        "user_id": str(notice.user_id),
        "at": rfc3339(event.at_ms),
        "starts_at": None if event.starts_ms is None else rfc3339(event.starts_ms),
        "ends_at": None if event.ends_ms is None else rfc3339(event.ends_ms),
        "title": title,
        "text": text,
    }
    if event.event in ("ended", "overtaken"):
        body["rank"], body["score"] = notice.rank, notice.score
    if event.details:
        body["details"] = event.details
    return body
