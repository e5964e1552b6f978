"""How a live table looks, on a terminal and in lines. Following it is the client's; tests/integration watches a whole Palio."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from rich.console import Console

from scripts.cli.watch import line, picture
from scripts.client.palio_client import Board, Tournament
from scripts.client.palio_client.live import LiveData, LiveRow
from serve_app.api.answers import Tournament as Model

NOW = datetime(2027, 5, 1, 9, tzinfo=UTC)
RACE = msgspec.convert({**Model.example, "name": "Race", "display": {"unit": "time", "decimals": 0}}, Tournament)
ROWS = [LiveRow(user_id="1", name="A\x1b[2Jnn", score=2814), LiveRow(user_id="2", name=None, score=3729.5)]


def board(top: list[LiveRow] = ROWS, *, connected: bool = True, **more: Any) -> Board:
    data = {"participants": 2, "status": "running", "starts_at": None, "ends_at": NOW + timedelta(seconds=75), **more}
    live = LiveData(ties="first", top=top, **data)
    return Board(tournament_id="7", epoch=1, seq=2, data=live, connected=connected)


def drawn(shown: Board, count: int | None = None) -> str:
    written = io.StringIO()
    Console(file=written, width=80).print(picture(RACE, shown, count, NOW))
    return written.getvalue()


def test_a_line_has_the_first_rows_in_their_unit() -> None:
    assert line(RACE, board(), 3) == "running  2 participants  1. A\\x1b[2Jnn 46:54  2. user 2 1:02:10"
    assert line(RACE, board(participants=1), 1).startswith("running  1 participant  ")
    assert line(RACE, board(), 1).count(". ") == 1
    assert line(RACE, board([], connected=False), 3) == "running  2 participants  -  (connection lost, trying again)"


def test_a_terminal_shows_the_table_and_the_time_that_is_left() -> None:
    text = drawn(board())
    assert "Race  running, 2 participants, ends in 1:15" in text
    assert "46:54" in text
    assert "\x1b[2J" not in text
    assert "connection lost" not in text
    assert "1:02:10" not in drawn(board(), 1)


def test_it_says_when_the_connection_is_lost_and_when_there_is_nothing_yet() -> None:
    assert "connection lost, trying again" in drawn(board(connected=False))
    assert "nobody has a score yet" in drawn(board([]))
    waiting = drawn(board([], status="scheduled", starts_at=NOW + timedelta(hours=1)))
    assert "scheduled, 2 participants, starts in 1:00:00" in waiting
    assert "in " not in drawn(board(status="finished")).splitlines()[0]
