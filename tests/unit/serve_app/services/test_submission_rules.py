"""What an entrypoint knows of a tournament's scoring by its view, and judges by it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from actors.domain.errors import ResultError
from serve_app.services.known import Known
from serve_app.services.submission_rules import SubmissionRules, rules_of


def rules(**view: Any) -> SubmissionRules:
    return rules_of(msgspec.json.encode({"id": "1", "name": "x", "top": [], **view}))


def path(given: SubmissionRules, subscore: bool = False, result: Any = UNSET) -> str:
    try:
        given.check(subscore=subscore, result=result)
    except ResultError as error:
        return error.path
    return ""


KEYED = {"kind": "keyed", "questions": 2, "points": 1}


@pytest.mark.parametrize(
    ("view", "sent", "wrong"),
    [
        ({}, {}, ""),
        ({}, {"subscore": True}, "subscore"),
        ({}, {"result": {}}, "result"),
        ({"subscore": {"order": "asc"}}, {}, "subscore"),
        ({"scoring": {"kind": "weighted", "fields": {"a": 1}}}, {}, "result"),
        ({"scoring": {"kind": "weighted", "fields": {"a": 1}}}, {"result": {"a": 3}}, ""),
        ({"scoring": {"kind": "weighted", "fields": {"a": 1}}}, {"result": {"b": 3}}, "result.b"),
        ({"scoring": {"kind": "speed", "points": 10, "to_s": 5}}, {"result": {"time_s": -1}}, "result.time_s"),
        ({"scoring": KEYED}, {"result": {"answers": {"q1": "A", "anything": "B"}}}, ""),
        ({"scoring": KEYED}, {"result": {"answers": {"q1": 7}}}, "result.answers.q1"),
        ({"scoring": KEYED}, {"result": {"answers": {"a": "A", "b": "B", "c": "C"}}}, "result.answers"),
        ({"scoring": {"kind": "custom", "function": "whatever"}}, {"result": {"any": [1]}}, ""),
        ({"scoring": {"kind": "custom", "function": "whatever"}}, {}, "result"),
    ],
)
def test_what_does_not_fit_is_named(view: dict[str, Any], sent: dict[str, Any], wrong: str) -> None:
    assert path(rules(**view), **sent) == wrong


def test_only_what_wants_more_than_a_score_is_not_plain() -> None:
    known = Known(1, 0, True)
    assert (known.rules, known.plain) == (None, True)
    known.learn(rules())
    assert known.plain
    known.learn(rules(subscore={"order": "asc"}))
    assert not known.plain
