from __future__ import annotations

import json
import logging

import pytest

from serve_app.handlers.errors import Errors
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem
from serve_app.metrics import REJECTED
from storage.ports import (
    LogBehindError,
    LogConfigurationError,
    LogDiskFullError,
    LogOverloadedError,
    LogUnavailableError,
    OwnerMovedError,
    OwnerUnavailableError,
    RecordsUnavailableError,
)


async def answer(error: Exception | None) -> Response:
    async def handler(request: Request) -> Response:
        if error is not None:
            raise error
        return Response(204)

    return await Errors("api").answered(handler)(Request("GET", {}))


def rejected(code: str) -> float:
    return float(REJECTED.labels(entrypoint="api", code=code)._value.get())


async def test_what_goes_well_passes() -> None:
    assert await answer(None) == Response(204)


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (Problem(409, "not_running", "x"), 409, "not_running", None),
        (LogOverloadedError("full", 2.5), 503, "log_overloaded", "3"),
        (LogDiskFullError("full"), 503, "disk_full", "5"),
        (LogDiskFullError("full", 7), 503, "disk_full", "7"),
        (LogBehindError("behind", 60), 503, "log_behind", "60"),
        (LogConfigurationError("wrong"), 503, "log_unavailable", "5"),
        (LogUnavailableError("away", 0.2), 503, "log_unavailable", "1"),
        (RecordsUnavailableError("away"), 503, "unavailable", "1"),
        (OwnerUnavailableError("away"), 503, "unavailable", "1"),
        (OwnerMovedError("moved"), 503, "unavailable", "1"),
    ],
)
async def test_an_error_of_a_port_is_a_problem_and_counted(
    error: Exception, status: int, code: str, retry_after: str | None
) -> None:
    before = rejected(code)
    response = await answer(error)
    assert (response.status, json.loads(response.body)["code"]) == (status, code)
    assert response.headers.get("retry-after") == retry_after
    assert rejected(code) == before + 1


async def test_a_fault_of_our_own_is_500_and_logged_under_its_reference(caplog: pytest.LogCaptureFixture) -> None:
    before = rejected("internal")
    with caplog.at_level(logging.ERROR):
        response = await answer(KeyError("a secret"))
    body = json.loads(response.body)
    assert (response.status, body["code"]) == (500, "internal")
    assert b"secret" not in response.body
    assert body["reference"] in caplog.text
    assert "handler failed" in caplog.text
    assert rejected("internal") == before + 1
