"""iCalendar (RFC 5545) of tournaments with times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from icalendar import Calendar, Event

from storage.ports import TournamentRow

PRODUCT: Final = "-//Palio//Palio//EN"


def write_calendar(rows: Sequence[TournamentRow], now_ms: int) -> bytes:
    """An event for each; those without both times are left out. A changed one has a higher sequence under the same UID, a cancelled one says
    so: that is how calendars that subscribed to it follow."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for row in rows:
        if row.starts_ms is None or row.ends_ms is None:
            continue
        event = Event()
        event.add("uid", f"tournament-{row.tournament_id}@palio")
        event.add("dtstamp", _time(now_ms))
        event.add("created", _time(row.created_ms))
        event.add("sequence", row.version)
        event.add("summary", row.name)
        event.add("dtstart", _time(row.starts_ms))
        event.add("dtend", _time(row.ends_ms))
        event.add("status", "CANCELLED" if row.status == "cancelled" else "CONFIRMED")
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC)  # iCalendar has whole seconds
