"""The errors are those of Palio."""

from typing import get_args

import pytest

from scripts.client.palio_client import Code, InvalidError, ProblemError
from scripts.client.palio_client.errors import problem_of
from serve_app.http.problems import CODES, invalid, problem_response


def test_the_client_knows_every_code() -> None:
    assert set(get_args(Code)) == set(CODES), "mend `Code` in scripts/client/palio_client/errors.py"


def test_a_wrong_field_is_named() -> None:
    response = problem_response(invalid("score", "expected at most 2 decimals"))
    error = problem_of("POST x", response.status, response.body)
    assert isinstance(error, InvalidError)
    assert [(each.path, each.message) for each in error.errors] == [("score", "expected at most 2 decimals")]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 422])
def test_refusals_go_by_their_status(status: int) -> None:
    error = problem_of("GET x", status, b'{"status":%d,"code":"new","detail":"d"}' % status)
    assert isinstance(error, ProblemError)
    assert type(error).status_of_class == status
    assert type(problem_of("GET x", 418, b'{"status":418,"code":"new","detail":"d"}')) is ProblemError
