from __future__ import annotations

import logging
import resource

import pytest

from serve_app.http import connection_bounds
from serve_app.http.connection_bounds import LINGER_S, MAX_DROPPED_BYTES, SPARE_FILES, SlowClient, allow_connections
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


def test_a_client_that_reads_is_never_overdue() -> None:
    slow = SlowClient()
    for second, unsent_bytes in enumerate((0, 100, 90, 500, 400, 0, 0, 7)):  # less is left within each 10 s
        assert not slow.is_overdue(unsent_bytes, 1.0 + 9 * second, limit_s=10)


def test_one_that_reads_nothing_is_overdue() -> None:
    slow = SlowClient()
    assert not slow.is_overdue(100, 1.0, limit_s=10)
    assert not slow.is_overdue(200, 10.9, limit_s=10)
    assert slow.is_overdue(300, 11.1, limit_s=10)
    assert not slow.is_overdue(299, 11.2, limit_s=10), "it has begun to read"


def test_an_ended_connection_is_kept_until_the_client_is_silent_and_has_read_all() -> None:
    slow = SlowClient()
    slow.end(100.0)
    assert not slow.is_overdue(5, 100.0 + 2 * LINGER_S, limit_s=30), "it has not read all"
    assert not slow.drop(10, 110.0)
    assert not slow.is_overdue(0, 110.0 + LINGER_S, limit_s=30), "it still sends"
    assert slow.is_overdue(0, 110.1 + LINGER_S, limit_s=30)


def test_an_ended_connection_has_a_longest_time_and_most_bytes() -> None:
    slow = SlowClient()
    slow.end(100.0)
    for second in range(31):
        assert not slow.drop(MAX_DROPPED_BYTES // 31, 100.0 + second)
        assert not slow.is_overdue(0, 100.0 + second, limit_s=30)
    assert slow.is_overdue(0, 130.1, limit_s=30)
    assert slow.drop(31, 130.1)


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
