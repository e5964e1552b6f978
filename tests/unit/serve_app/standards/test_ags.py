"""Scores of tools: strict reading, scaling, the event id; tournaments as line items."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serve_app.http.problems import Problem
from serve_app.standards.ags import Graded, event_id_of, graded, line_item, maximum_of, read_score, timestamp_us
from serve_app.standards.foreign_ids import NONE, ForeignIds

SCORE: dict[str, Any] = {
    "userId": "42",
    "scoreGiven": 83,
    "scoreMaximum": 100,
    "activityProgress": "Completed",
    "gradingProgress": "FullyGraded",
    "timestamp": "2027-05-01T09:40:12.345Z",
    "comment": "Well done",
    "https://canvas.instructure.com/lti/submission": {"new_submission": True},
}
TIME_US = 1_809_164_412_345_000


def said(maximum: float = 100, ids: ForeignIds = NONE, **changes: Any) -> Graded | str:
    body = {name: value for name, value in {**SCORE, **changes}.items() if value != ""}
    return graded(read_score(json.dumps(body).encode()), maximum, ids)


def wrong_path(**changes: Any) -> str:
    with pytest.raises(Problem) as caught:
        said(**changes)
    assert (caught.value.status, caught.value.code) == (422, "invalid")
    return caught.value.errors[0].path


def test_a_graded_score_is_scaled_to_the_line_items_maximum() -> None:
    assert said() == Graded(42, TIME_US, 8300)
    for given, of, maximum, hundredths in (
        (83, 100, 20, 1660), (1, 3, 100, 3333), (2, 3, 100, 6667), (1, 8, 1, 13), (0, 10, 100, 0),
        (12, 10, 100, 12_000), (0.1, 0.3, 100, 3333), (5, 5, 0.5, 50),
    ):  # fmt: skip
        found = said(maximum, scoreGiven=given, scoreMaximum=of)
        assert isinstance(found, Graded)
        assert found.score == hundredths, (given, of, maximum)


@pytest.mark.parametrize("progress", ["Pending", "PendingManual", "Failed", "NotReady"])
def test_only_what_is_fully_graded_counts(progress: str) -> None:
    assert said(gradingProgress=progress) == "not_graded"


@pytest.mark.parametrize("progress", ["Initialized", "Started", "InProgress", "Submitted"])
def test_whatever_the_activitys_progress(progress: str) -> None:
    assert isinstance(said(activityProgress=progress), Graded)


@pytest.mark.parametrize("given", ["", None])
def test_without_a_score_there_is_none(given: Any) -> None:
    assert said(scoreGiven=given) == "no_score"
    assert said(scoreGiven=given, scoreMaximum="") == "no_score"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"userId": ""}, "userId"),
        ({"userId": "ann"}, "userId"),
        ({"userId": 42}, "userId"),
        ({"scoreGiven": -1}, "scoreGiven"),
        ({"scoreGiven": "83"}, "scoreGiven"),
        ({"scoreGiven": 1e12, "scoreMaximum": 1e-12}, "scoreGiven"),
        ({"scoreMaximum": ""}, "scoreMaximum"),
        ({"scoreMaximum": None}, "scoreMaximum"),
        ({"scoreMaximum": 0}, "scoreMaximum"),
        ({"activityProgress": "Done"}, "activityProgress"),
        ({"gradingProgress": ""}, "gradingProgress"),
        ({"gradingProgress": "fullyGraded"}, "gradingProgress"),
        ({"timestamp": ""}, "timestamp"),
        ({"timestamp": "2027-05-01T09:40:12"}, "timestamp"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"comment": 5}, "comment"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], path: str) -> None:
    assert wrong_path(**changes) == path


def test_users_may_be_mapped() -> None:
    found = said(userId="tool-user", ids=ForeignIds(users={"tool-user": "9"}))
    assert isinstance(found, Graded)
    assert found.user_id == 9


def test_a_time_is_the_same_however_it_is_written() -> None:
    texts = ("2027-05-01T09:40:12.345Z", "2027-05-01T11:40:12.345000+02:00", "20270501T094012.345+0000")
    assert {timestamp_us(text) for text in texts} == {TIME_US}
    assert timestamp_us("2027-05-01T09:40:12.345678Z") == TIME_US + 678


def test_the_event_id_is_the_tools_the_users_and_the_times() -> None:
    given = Graded(42, TIME_US, 8300)
    same = event_id_of("tool", given._replace(score=1))
    assert event_id_of("tool", given) == same
    others = {
        event_id_of(client, Graded(user, time, 0)) for client in ("tool", "t") for user in (4, 42) for time in (1, 2)
    }
    assert len(others | {same}) == 9
    assert len(same) <= 64


VIEW: dict[str, Any] = {
    "id": "5", "name": "Exam", "metadata": {}, "starts_at": "2027-05-01T09:00:00.000Z", "ends_at": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "maximum"),
    [
        ({}, 100),
        ({"lti": {"score_maximum": 20}}, 20),
        ({"lti": {"score_maximum": 0.5}}, 0.5),
        *(
            ({"lti": wrong}, 100)
            for wrong in (7, {}, {"score_maximum": 0}, {"score_maximum": True}, {"score_maximum": "9"})
        ),
    ],
)
def test_a_line_items_maximum_is_in_the_metadata(metadata: dict[str, Any], maximum: float) -> None:
    assert maximum_of({**VIEW, "metadata": metadata}) == maximum


def test_a_tournament_is_a_line_item() -> None:
    item = line_item(VIEW, "https://palio.example/v1/lti/lineitems")
    assert (item.id, item.label, item.resource_id) == ("https://palio.example/v1/lti/lineitems/5", "Exam", "5")
    assert (item.start_date_time, item.end_date_time) == ("2027-05-01T09:00:00.000Z", None)
