from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest

from serve_app.http import problems
from serve_app.http.problems import (
    CODES,
    PROBLEM_JSON,
    FieldError,
    Problem,
    invalid,
    problem_response,
    unavailable,
    unexpected_response,
)

SOURCE = Path(problems.__file__).parents[1]
STATUSES = {"Problem": None, "unavailable": 503, "unauthorized": 401}  # None: it is the first argument


def test_a_problem_is_told_whole() -> None:
    answer = problem_response(invalid("name", "expected this field"))
    assert (answer.status, answer.content_type) == (422, PROBLEM_JSON)
    assert answer.headers == {"cache-control": "private, no-store", "vary": "authorization"}
    assert msgspec.json.decode(answer.body) == {
        "type": "/docs#invalid",
        "title": "A field is wrong",
        "status": 422,
        "detail": "name: expected this field",
        "code": "invalid",
        "errors": [{"path": "name", "message": "expected this field"}],
    }


def test_status_0_is_the_codes_own() -> None:
    assert problem_response(Problem(0, "tournament_full", "full")).status == 409
    with pytest.raises(KeyError):
        Problem(0, "no_such_code", "x")


def test_headers_of_a_problem_come_on_top() -> None:
    answer = problem_response(Problem(429, "rate_limited", "x", headers={"retry-after": "3", "vary": "origin"}))
    assert answer.headers == {"cache-control": "private, no-store", "vary": "origin", "retry-after": "3"}


@pytest.mark.parametrize(
    ("retry_after_s", "told"), [(0, "1"), (-3, "1"), (0.2, "1"), (1.0, "1"), (1.01, "2"), (60, "60")]
)
def test_retry_after_is_in_whole_seconds_and_at_least_one(retry_after_s: float, told: str) -> None:
    problem = unavailable("draining", "x", retry_after_s)
    assert (problem.status, problem.headers) == (503, {"retry-after": told})


def test_an_error_of_ours_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = unexpected_response(ValueError("the password is 7"), "submit_score")
    body = msgspec.json.decode(answer.body)
    assert (answer.status, body["code"]) == (500, "internal")
    assert "password" not in answer.body.decode()
    assert len(body["reference"]) == 12
    assert body["reference"] in body["detail"]
    logged = caplog.records[0]
    assert body["reference"] in logged.getMessage()
    assert "submit_score" in logged.getMessage()
    assert logged.exc_info
    assert "the password is 7" in str(logged.exc_info[1])
    again = msgspec.json.decode(unexpected_response(ValueError(), "x").body)
    assert again["reference"] != body["reference"]


def test_errors_are_left_out_when_there_are_none() -> None:
    body = msgspec.json.decode(problem_response(Problem(404, "not_found", "x")).body)
    assert "errors" not in body
    assert "reference" not in body
    two = Problem(422, "invalid", "x", [FieldError("a", "b"), FieldError("", "c")])
    assert [error["path"] for error in msgspec.json.decode(problem_response(two).body)["errors"]] == ["a", ""]


def test_every_code_has_a_status_of_errors_and_a_title() -> None:
    for code, (status, title) in CODES.items():
        assert HTTPStatus(status) >= HTTPStatus.BAD_REQUEST, code
        assert title[0].isupper(), code
        assert not title.endswith("."), code


def given_codes() -> Iterator[tuple[str, str, int]]:
    """(where, code, status) of each problem that the source makes with a code written out; status 0 where the code's own is meant."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in STATUSES:
                status = STATUSES[node.func.id]
                given = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
                if status is None:
                    status, *given = given  # type: ignore[assignment]
                if isinstance(given[0], str) and isinstance(status, int):
                    yield f"{path.relative_to(SOURCE)}:{node.lineno}", given[0], status


def test_every_problem_has_a_documented_code_and_that_code_s_status() -> None:
    given = list(given_codes())
    assert len(given) > 40
    assert [(where, code) for where, code, _ in given if code not in CODES] == []
    others = {(code, status) for _, code, status in given if status and status != CODES[code][0]}
    assert others == {("too_large", 431)}  # of a head
