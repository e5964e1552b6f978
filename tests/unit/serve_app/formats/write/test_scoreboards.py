from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain.messages.scoring import Penalty, Subscore
from actors.domain.results.table import results_table
from actors.domain.values import rfc3339
from serve_app.formats.write import rows as rows_module
from serve_app.formats.write.scoreboards import write_clics, write_ctftime
from tests.support.histories import Step
from tests.support.results import BEGIN_MS, HOUR_MS, table, tournament
from tests.support.submissions import Sent


def clics(shown: Any, now_ms: int = BEGIN_MS + 90_500) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b"".join(write_clics(shown, now_ms)))
    return found


@pytest.mark.parametrize("size", [1, 1000])
def test_ctftime_reads_standings(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(rows_module, "ROWS_A_PIECE", size)
    standings = json.loads(b"".join(write_ctftime(table())))["standings"]
    assert standings[0] == {"pos": 1, "team": "Ann", "score": 912.5, "lastAccept": BEGIN_MS // 1000 + 60}
    assert [(row["pos"], row["team"]) for row in standings[1:]] == [(2, "4"), (3, "=1+1"), (4, 'Zoë ‘Z’, "Q"')]


def test_no_rows_are_a_scoreboard_too() -> None:
    empty = results_table(tournament([]), "running")
    assert json.loads(b"".join(write_ctftime(empty))) == {"standings": []}
    assert clics(empty)["rows"] == []


def test_clics_has_scores_where_points_count() -> None:
    board = clics(table())
    assert board["time"] == "2027-01-15T08:01:30.500Z"
    assert board["contest_time"] == "0:01:30.500"
    assert board["rows"][0] == {"rank": 1, "team_id": "1", "score": {"score": 912.5, "time": 1}}
    assert board["rows"][3] == {"rank": 4, "team_id": "3", "score": {"score": -12.05}}
    assert board["state"] == {
        "started": "2027-01-15T08:00:00.000Z",
        "ended": None,
        "frozen": None,
        "thawed": None,
        "finalized": None,
        "end_of_updates": None,
    }


def test_clics_has_problems_and_minutes_where_it_is_scored_as_the_icpc() -> None:
    result = {"problems": {"A": {"minutes": 35, "wrong": 2}, "B": {"minutes": 3}}}
    state = tournament(
        [(2, 0)],
        ["Bo"],
        Step(BEGIN_MS + 40 * 60_000, Sent(2, "x", None, None, result)),
        scoring=Penalty(wrong_minutes=20),
        subscore=Subscore(order="asc"),
        score_policy="last",
    )
    assert clics(results_table(state, "running"))["rows"] == [
        {"rank": 1, "team_id": "2", "score": {"num_solved": 2, "total_time": 78, "time": 40}}
    ]


def test_the_state_tells_of_the_end_and_of_a_frozen_table() -> None:
    ends_ms = BEGIN_MS + HOUR_MS
    assert clics(table("scheduled"))["state"]["started"] is None
    frozen: dict[str, Any] = {"freeze_ms": HOUR_MS // 2}
    assert clics(table(**frozen))["state"]["frozen"] is None
    state = tournament(**frozen)
    state.status, state.finished_ms = "finished", ends_ms
    over = clics(results_table(state, "finished"), ends_ms + 5_000)
    assert over["contest_time"] == "1:00:00.000"
    assert over["state"]["frozen"] == rfc3339(ends_ms - HOUR_MS // 2)
    assert over["state"]["ended"] == over["state"]["thawed"] == rfc3339(ends_ms)


def test_before_the_start_its_time_is_negative() -> None:
    assert clics(table("scheduled"), BEGIN_MS - 61_001)["contest_time"] == "-0:01:01.001"
