from __future__ import annotations

from datetime import UTC, datetime

from icalendar import Calendar, Event

from actors.owner.checkpoint.rows import tournament_row
from serve_app.formats.write.calendar import write_calendar
from tests.support.results import BEGIN_MS, HOUR_MS, tournament

NAME = "Frühling, Finale; \\ " + "lang " * 9 + "Ende"


def test_other_software_reads_the_events() -> None:
    row = tournament_row(tournament(name=NAME), 0)
    data = write_calendar([row, row._replace(tournament_id=8, status="cancelled", version=3)], BEGIN_MS + 5)
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    calendar = Calendar.from_ical(data)
    first, second = calendar.walk("VEVENT")
    assert isinstance(first, Event)
    assert str(first["summary"]) == NAME
    assert first.start == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert first.end == datetime.fromtimestamp((BEGIN_MS + HOUR_MS) / 1000, UTC)
    assert (str(first["uid"]), str(first["status"]), first["sequence"]) == ("tournament-7@palio", "CONFIRMED", 1)
    assert (str(second["uid"]), str(second["status"]), second["sequence"]) == ("tournament-8@palio", "CANCELLED", 3)


def test_what_has_no_times_is_left_out() -> None:
    row = tournament_row(tournament(), 0)
    assert b"VEVENT" not in write_calendar([row._replace(ends_ms=None), row._replace(starts_ms=None)], BEGIN_MS)
    assert Calendar.from_ical(write_calendar([], BEGIN_MS)).walk("VEVENT") == []
