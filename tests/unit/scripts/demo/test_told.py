"""What must be told of a contest, by hand; and that each number and each row that is otherwise is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.demo.data import Contest, Entry, Result
from scripts.demo.told import Filed, archive_faults, report_faults, scores, series_faults, standing

RESULTS = [Result(0.1, 1, "a", 500), Result(0.2, 2, "b", 700), Result(0.3, 3, "c", 500), Result(0.4, 1, "d", 900)]
CONTEST = Contest(
    "k", "School", "desc", "shared", 9, {}, [Entry(0, user, f"U{user}") for user in (1, 2, 3, 4)], RESULTS
)
FIRST, SECOND = datetime(2027, 5, 1, 9, 0, 1, tzinfo=UTC), datetime(2027, 5, 1, 9, 1, 2, tzinfo=UTC)
FILED = [
    Filed(1, 1, "U1", 900, 2, SECOND, FIRST, False, []),
    Filed(2, 2, "U2", 700, 1, FIRST, FIRST, False, []),
    Filed(3, 3, "U3", 500, 1, SECOND, FIRST, False, []),
    Filed(None, 4, "U4", None, 0, None, SECOND, False, []),
]
THEN = {
    "participants": 3, "scored": 2, "completed": 0, "participation_rate": 0.666667, "completion_rate": 0.0, "submissions": 2,
    "scores": {"count": 2, "average": 6.0, "stddev": 1.0, "min": 5.0, "q1": 5.5, "median": 6.0, "q3": 6.5, "max": 7.0},
}  # fmt: skip
NOW = {
    "participants": 4, "scored": 3, "completed": 0, "participation_rate": 0.75, "completion_rate": 0.0, "submissions": 4,
    "scores": {"count": 3, "average": 7.0, "stddev": 1.63, "min": 5.0, "q1": 6.0, "median": 7.0, "q3": 8.0, "max": 9.0},
}  # fmt: skip
TIMES = ["2027-05-01T09:01:00.000Z", "2027-05-01T09:02:00.000Z"]
REPORT: dict[str, Any] = {
    **NOW,
    "histogram": [{"from": 4.0, "to": 6.0, "count": 1}, {"from": 6.0, "to": 8.0, "count": 1}, {"from": 8.0, "to": 10.0, "count": 1}],
    "step_s": 60,
    "attempts": [
        {"time": "2027-05-01T09:00:00.000Z", "submissions": 2, "joins": 3},
        {"time": "2027-05-01T09:01:00.000Z", "submissions": 2, "joins": 1},
    ],
    "standings": [{"time": TIMES[0], **THEN}, {"time": TIMES[1], **NOW}],
    "curves": {"times": TIMES, "players": [
        {"user_id": "1", "name": "U1", "ranks": [2, 1], "scores": [5.0, 9.0]},
        {"user_id": "2", "name": "U2", "ranks": [1, 2], "scores": [7.0, 7.0]},
        {"user_id": "3", "name": "U3", "ranks": [None, 3], "scores": [None, 5.0]},
    ]},
}  # fmt: skip


def points(metric: str, *values: float | None) -> dict[str, Any]:
    times = ["2027-05-01T09:00:00.000Z", "2027-05-01T09:01:00.000Z"]
    told = [{"time": time, "value": value} for time, value in zip(times, values, strict=True)]
    return {metric: {"step_s": 60, "points": told}}


SERIES = (
    points("submissions", 2, 2) | points("joins", 3, 1) | points("finished", 0, 1) | points("median_score", 6.0, 7.0)
    | points("participation_rate", 0.666667, 0.75) | points("completion_rate", 0.0, 0.0)
)  # fmt: skip


def numbers(told: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the numbers of an answer are."""
    if isinstance(told, dict | list):
        within = told.items() if isinstance(told, dict) else enumerate(told)
        return [found for key, value in within for found in numbers(value, (*path, key))]
    return [path] if isinstance(told, int | float) and path[-1] not in ("step_s", "from", "to") else []


def other(told: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(told)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] += 1
    return changed


def test_what_equals_the_data_has_no_fault() -> None:
    assert standing(CONTEST, 3, 2) == THEN
    assert standing(CONTEST, 4, 4) == NOW
    assert report_faults(CONTEST, REPORT, FILED) == []
    assert series_faults(REPORT, SERIES) == []
    assert archive_faults(CONTEST, FILED) == []


@pytest.mark.parametrize("path", numbers(REPORT), ids=str)
def test_each_number_of_a_report_that_is_another_is_a_fault(path: tuple[Any, ...]) -> None:
    assert report_faults(CONTEST, other(REPORT, path))


@pytest.mark.parametrize("path", numbers(SERIES), ids=str)
def test_each_number_of_a_series_that_is_another_is_a_fault(path: tuple[Any, ...]) -> None:
    assert series_faults(REPORT, other(SERIES, path))


def test_a_series_that_does_not_have_the_end_yet_is_a_fault() -> None:
    assert series_faults(REPORT, points("finished", 0, 0)) == ["finished: expected [1], got []"]


def test_what_came_in_another_minute_than_the_archive_says_is_a_fault() -> None:
    late = [FILED[0], FILED[1]._replace(joined_at=SECOND), *FILED[2:]]
    assert "joins by step" in report_faults(CONTEST, REPORT, late)[0]
    once = CONTEST._replace(results=RESULTS[:3])
    told = [fault for fault in report_faults(once, REPORT, FILED[1:]) if "submissions by step" in fault]
    assert len(told) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[:-1],
        lambda rows: rows[1::-1] + rows[2:],
        lambda rows: [rows[0]._replace(name="Somebody"), *rows[1:]],
        lambda rows: [rows[0]._replace(score=901), *rows[1:]],
        lambda rows: [rows[0]._replace(attempts=1), *rows[1:]],
        lambda rows: [rows[0]._replace(disqualified=True), *rows[1:]],
        lambda rows: [rows[0]._replace(prizes=[{"rule": 0}]), *rows[1:]],
        lambda rows: [*rows, rows[-1]._replace(user_id=5)],
    ],
)
def test_each_row_of_a_file_that_is_another_is_a_fault(change: Callable[[list[Filed]], list[Filed]]) -> None:
    assert archive_faults(CONTEST, change(FILED))


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], {"count": 0, "average": None, "stddev": None, "min": None, "q1": None, "median": None, "q3": None, "max": None}),
        ([-5], {"count": 1, "average": -0.05, "stddev": 0.0, "min": -0.05, "q1": -0.05, "median": -0.05, "q3": -0.05, "max": -0.05}),
        ([-2, -1], {"count": 2, "average": -0.02, "stddev": 0.01, "min": -0.02, "q1": -0.02, "median": -0.02, "q3": -0.01, "max": -0.01}),
    ],
)  # fmt: skip
def test_statistics_are_rounded_once_half_away_from_zero(values: list[int], shown: dict[str, Any]) -> None:
    assert scores(values) == shown
