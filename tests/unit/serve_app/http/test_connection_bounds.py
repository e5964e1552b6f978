from __future__ import annotations

import logging
import resource

import pytest

from serve_app.http import connection_bounds
from serve_app.http.connection_bounds import SPARE_FILES, allow_connections
from serve_app.http.problems import Problem

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((256, 100_000), (1000 + SPARE_FILES, 100_000)),
        ((256, UNLIMITED), (1000 + SPARE_FILES, UNLIMITED)),
        ((1000 + SPARE_FILES, 100_000), None),
        ((UNLIMITED, UNLIMITED), None),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    limits: tuple[int, int],
    raised: tuple[int, int] | None,
) -> None:
    assert _allowed(monkeypatch, limits) == raised
    assert not caplog.records


def test_what_the_hard_limit_forbids_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert _allowed(monkeypatch, (256, 1024)) == (1024, 1024)
    assert "1024 files" in caplog.text


def _allowed(monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int]) -> tuple[int, int] | None:
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: made.append(limits))
    allow_connections(1000)
    return made[0] if made else None


@pytest.mark.parametrize(
    ("problem", "status", "code", "told"),
    [
        (connection_bounds.head_too_large(), 431, "too_large", "32768 bytes"),
        (connection_bounds.no_http(), 400, "malformed", "HTTP/1.1"),
        (connection_bounds.not_whole_in_time(2.5), 408, "request_timeout", "within 2.5 s"),
        (connection_bounds.too_many_wait(), 429, "rate_limited", "32 requests"),
    ],
)
def test_what_is_beyond_the_bounds_is_told(problem: Problem, status: int, code: str, told: str) -> None:
    assert (problem.status, problem.code) == (status, code)
    assert told in problem.detail
