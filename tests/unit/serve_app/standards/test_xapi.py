"""Statements: strict reading, ranges, and which of them are scores of whom."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from typing import Any

import pytest

from serve_app.http.problems import Problem
from serve_app.standards.foreign_ids import NONE, ForeignIds
from serve_app.standards.xapi import (
    Scored,
    StatementObject,
    duration_s,
    is_others,
    read_statement,
    read_statements,
    scored,
    tournament_of,
)

ID = "fd41c918-b88b-4b20-a0a5-a4c32391aaa0"
TOURNAMENT = "8127364512893471000"
STATEMENT: dict[str, Any] = {
    "id": ID,
    "actor": {"account": {"homePage": "https://exam.example", "name": "42"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed", "display": {"en": "completed"}},
    "object": {"id": f"https://exam.example/tournaments/{TOURNAMENT}", "definition": {"name": {"en": None}}},
    "result": {"score": {"raw": 87.5, "min": 0, "max": 100}, "completion": True, "duration": "PT1M30.5S"},
    "timestamp": "2027-05-01T09:40:12.345Z",
    "context": {"registration": ID, "extensions": {"https://x.example/a": None}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """A statement with another value at a dotted path; None takes it away."""
    statement = copy.deepcopy(STATEMENT)
    *parents, last = path.split(".")
    inner = statement
    for name in parents:
        inner = inner.setdefault(name, {})
    if value is None:
        inner.pop(last, None)
    else:
        inner[last] = value
    return statement


def said(statement: dict[str, Any], ids: ForeignIds = NONE) -> Scored | str:
    return scored(read_statement(json.dumps(statement).encode()), ids)


def paths(statement: Any) -> list[str]:
    body = json.dumps(statement).encode()
    with pytest.raises(Problem) as caught:
        _ = [scored(each, NONE) for each in read_statements(body)]
    assert (caught.value.status, caught.value.code) == (400, "invalid")
    return [error.path for error in caught.value.errors]


def test_a_completed_tournament_is_a_score() -> None:
    assert said(STATEMENT) == Scored(TOURNAMENT, 42, "completed", 8750, 9050)


@pytest.mark.parametrize(
    ("score", "hundredths"),
    [
        ({"raw": 0}, 0),
        ({"raw": -12.345}, -1235),
        ({"scaled": 0.875}, 8750),
        ({"scaled": -1}, -10_000),
        ({"scaled": 0.33335}, 3334),
        ({"scaled": 1, "raw": 7, "min": 0, "max": 7}, 700),
        ({"raw": 1.5, "max": 1.5}, 150),
    ],
)
def test_the_score_is_raw_else_scaled_in_per_cent(score: dict[str, float], hundredths: int) -> None:
    found = said(changed("result.score", score))
    assert isinstance(found, Scored)
    assert found.score == hundredths


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("verb.id", "http://adlnet.gov/expapi/verbs/attempted", "verb"),
        ("verb.id", "http://adlnet.gov/expapi/verbs/voided", "verb"),
        ("object.id", "https://lms.example/mod/quiz/view.php?id=5", "activity"),
        ("object.id", "https://lms.example/courses/maths", "activity"),
        ("object.id", "https://lms.example/courses/maths5", "activity"),
        ("object", {"objectType": "Agent", "mbox": "mailto:a@example.org"}, "activity"),
        ("result", None, "no_score"),
        ("result.score", None, "no_score"),
        ("result.score", {"min": 0, "max": 1}, "no_score"),
        ("result.completion", False, "not_completed"),
    ],
)
def test_other_statements_are_none(path: str, value: Any, reason: str) -> None:
    assert said(changed(path, value)) == reason


@pytest.mark.parametrize("verb", ["passed", "failed", "scored", "completed", "answered"])
@pytest.mark.parametrize("success", [True, False, None])
def test_success_does_not_decide(verb: str, success: bool | None) -> None:
    statement = changed("verb.id", f"http://adlnet.gov/expapi/verbs/{verb}")
    if success is not None:
        statement["result"]["success"] = success
    found = said(statement)
    assert isinstance(found, Scored)
    assert (found.verb, found.score) == (verb, 8750)


@pytest.mark.parametrize(
    ("path", "value", "wrong"),
    [
        ("result.score", {"scaled": 1.01}, "result.score.scaled"),
        ("result.score", {"scaled": -1.01}, "result.score.scaled"),
        ("result.score", {"raw": 101, "max": 100}, "result.score.raw"),
        ("result.score", {"raw": -1, "min": 0}, "result.score.raw"),
        ("result.score", {"min": 5, "max": 5}, "result.score.min"),
        ("result.score", {"raw": "87"}, "result.score.raw"),
        ("result.score", {"raw": 1e8}, "result.score.raw"),
        ("result.score", {"points": 1}, "result.score"),
        ("result.duration", "90", "result.duration"),
        ("result.duration", "PT", "result.duration"),
        ("result.duration", "P1W2D", "result.duration"),
        ("result.duration", "PT100000000S", "result.duration"),
        ("result.success", "yes", "result.success"),
        ("id", "not-a-uuid", "id"),
        ("actor", None, "actor"),
        ("verb", None, "verb"),
        ("object", None, "object"),
        ("object.id", None, "object.id"),
        ("verb.id", "completed", "verb.id"),
        ("actor", {"name": "Ann"}, "actor"),
        ("actor", {"mbox": "ann@example.org"}, "actor.mbox"),
        ("actor", {"mbox": "mailto:a@b.c", "openid": "https://a.example"}, "actor"),
        ("actor", {"account": {"name": "42"}}, "actor.account.homePage"),
        ("actor", {"mbox": "mailto:a@b.c", "member": []}, "actor.member"),
        ("actor", {"mbox": "mailto:ann@example.org"}, "actor"),  # nobody that is known
        ("actor.account.name", "ann", "actor"),
        ("actor", {"objectType": "Group", "account": STATEMENT["actor"]["account"]}, "actor"),
        ("verson", "1.0.3", ""),
        ("version", "3.0", "version"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: Any, wrong: str) -> None:
    statement = changed(path, value)
    assert paths(statement) == [wrong]


def test_in_a_batch_it_is_named_with_its_place() -> None:
    other = STATEMENT | {"id": ID[:-1] + "1"}
    for path, value in (("result.score", {"scaled": 2}), ("verb.id", "x"), ("actor", None), ("object.id", None)):
        ((found,),) = [paths([other, changed(path, value)])]
        assert found.startswith(f"[1].{path}")


def test_null_is_no_value() -> None:
    statement = copy.deepcopy(STATEMENT)
    statement["result"]["score"]["raw"] = None
    assert paths(statement) == ["result.score.raw"]


def test_the_same_id_twice_in_a_batch_is_wrong() -> None:
    assert paths([STATEMENT, STATEMENT | {"id": ID.upper()}]) == ["[1].id"]
    assert (
        len(read_statements(json.dumps([{**STATEMENT, "id": ID[:-4] + f"{n:04}"} for n in range(1000)]).encode()))
        == 1000
    )
    assert paths([{"actor": 1}] * 1001) == ["[0].actor"]
    assert paths([{k: v for k, v in STATEMENT.items() if k != "id"}] * 1001) == [""]


def test_users_and_activities_may_be_mapped() -> None:
    quiz = "https://lms.example/mod/quiz/view.php?id=5"
    ids = ForeignIds(
        users={
            "mailto:ann@example.org": "7",
            "https://lms.example|ann": "8",
            "f" * 40: "9",
            "https://id.example/": "10",
        },
        activities={quiz: "99"},
    )
    actors = (
        {"mbox": "mailto:ann@example.org"},
        {"account": {"homePage": "https://lms.example", "name": "ann"}},
        {"mbox_sha1sum": "f" * 40},
        {"openid": "https://id.example/"},
    )
    found = [said(changed("actor", actor) | {"object": {"id": quiz}}, ids) for actor in actors]
    assert [(each.tournament, each.user_id) for each in found if isinstance(each, Scored)] == [
        ("99", 7), ("99", 8), ("99", 9), ("99", 10),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("activity", "tournament"),
    [
        ("https://exam.example/42", "42"),
        ("urn:palio:42", "42"),
        ("https://exam.example/#42", "42"),
        ("42", "42"),
        ("https://exam.example/42/", None),
        ("https://exam.example/?id=42", None),
        ("https://exam.example/x42", None),
        ("https://exam.example/042", None),
        ("https://exam.example/٤٢", None),
        ("https://exam.example/" + "9" * 20, None),
    ],
)
def test_an_activity_ends_in_its_tournament(activity: str, tournament: str | None) -> None:
    assert tournament_of(StatementObject(id=activity), NONE) == tournament


def test_short_numbers_are_others() -> None:
    assert is_others("34")
    assert not is_others(TOURNAMENT)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1M30.5S", Fraction(181, 2)),
        ("PT0S", 0),
        ("PT12.34S", Fraction(1234, 100)),
        ("P1DT1H", 90_000),
        ("P2W", 1_209_600),
        ("PT1.5H", 5400),
        ("P1Y", None),
        ("P1M", None),
    ],
)
def test_durations_in_seconds(text: str, seconds: Fraction | int | None) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1", "1S", "PT1S ", "PT-1S", "PT1,5S", "P1DT", "PT1H2", "PT" + "1" * 99 + "S"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        duration_s(text)
