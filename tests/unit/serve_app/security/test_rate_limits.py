from __future__ import annotations

import pytest

from serve_app.config import FrontConfig
from serve_app.http.messages import Principal
from serve_app.http.problems import Problem
from serve_app.security.rate_limits import Buckets, Limiter
from tests.support.front import open_front, problem

SLOW = 0.001  # a request in 1,000 s: nothing comes back while a test runs


def taken(buckets: Buckets, key: str, times: int) -> int:
    return sum(buckets.take(key) == 0 for _ in range(times))


@pytest.mark.parametrize(("rate", "burst"), [(SLOW, 1), (SLOW, 40), (SLOW, 100)])
def test_a_burst_is_let_through_and_no_more(rate: float, burst: int) -> None:
    buckets = Buckets(rate, burst, 10)
    assert taken(buckets, "a", 3 * burst) == burst
    assert buckets.take("a") > 1
    assert taken(buckets, "b", 1) == 1


def test_a_bucket_fills_at_its_rate() -> None:
    clock = [1000.0]
    buckets = Buckets(500, 5, 10, monotonic_s=lambda: clock[0])
    assert taken(buckets, "a", 10) == 5
    assert buckets.take("a") == pytest.approx(1 / 500, abs=1e-5)
    clock[0] += 1 / 500
    assert taken(buckets, "a", 10) == 1
    clock[0] += 100.0
    assert taken(buckets, "a", 10) == 5, "never fuller than its burst"


def test_over_time_the_rate_is_kept_exactly() -> None:
    clock = [1000.0]
    buckets = Buckets(10_000, 100, 10, monotonic_s=lambda: clock[0])
    passed = 0
    for _ in range(20_000):  # twice the rate, for a second
        passed += buckets.take("a") == 0
        clock[0] += 1 / 20_000
    assert 10_000 <= passed <= 10_101


def test_the_callers_kept_are_bounded() -> None:
    buckets = Buckets(SLOW, 1, 3)
    for key in ("a", "b", "c", "a"):
        buckets.take(key)
    assert buckets.take("d") == 0  # "b" was the least recent: forgotten, not "a"
    assert buckets.take("a") > 0
    fast = Buckets(10_000, 10_000, 3)
    for number in range(1000):
        fast.take(str(number))
    assert len(fast) == 3


def test_each_role_has_its_limit() -> None:
    limiter = Limiter(
        FrontConfig(
            player_rate=SLOW, player_burst=2, anonymous_rate=SLOW, anonymous_burst=3, service_rate=SLOW, service_burst=4
        )
    )
    callers = [(Principal(1, "player", False), 2), (Principal(2, "player", False), 2), (None, 3)]
    callers += [(Principal(1, "service", True), 4), (Principal(1, "operator", True), 4)]
    for principal, allowed in callers:
        for _ in range(allowed):
            limiter.check(principal, "10.0.0.1")
        with pytest.raises(Problem) as caught:
            limiter.check(principal, "10.0.0.1")
        assert (caught.value.status, caught.value.code) == (429, "rate_limited")
        assert int(caught.value.headers["retry-after"]) >= 1
    limiter.check(None, "10.0.0.2")


async def test_too_many_requests_are_429_with_retry_after() -> None:
    async with open_front(player_rate=SLOW, player_burst=2, anonymous_rate=SLOW, anonymous_burst=2) as front:
        for headers in ({}, front.token("player", 42)):
            answers = [await front.call("GET", "/v1/tournaments", headers) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            assert int(answers[2].headers["retry-after"]) >= 1


async def test_guessing_tokens_counts_against_the_address() -> None:
    async with open_front(anonymous_rate=SLOW, anonymous_burst=2) as front:
        guess = {"authorization": "Bearer x.y.z"}
        answers = [problem(await front.call("GET", "/v1/tournaments", guess)) for _ in range(3)]
        assert answers == [(401, "token_invalid"), (401, "token_invalid"), (429, "rate_limited")]
