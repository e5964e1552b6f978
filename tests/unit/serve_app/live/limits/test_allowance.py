from __future__ import annotations

import pytest

from serve_app.live.limits.allowance import Allowance


def test_it_is_full_at_first_and_fills_by_time() -> None:
    allowance = Allowance(2, 3, 100.0)
    assert [allowance.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not allowance.take(100.25)
    assert allowance.take(100.5)
    assert not allowance.take(100.5)


def test_it_holds_no_more_than_its_bound() -> None:
    allowance = Allowance(2, 3, 0.0)
    assert [allowance.take(1e6) for _ in range(4)] == [True, True, True, False]


def test_a_refused_one_costs_nothing() -> None:
    allowance = Allowance(1, 1, 0.0)
    assert allowance.take(0)
    assert not any(allowance.take(at / 10) for at in range(10))
    assert allowance.take(1.0)


def test_the_wait_is_until_one_is_there() -> None:
    allowance = Allowance(4, 2, 0.0)
    assert allowance.wait_s(0.0) == 0
    allowance.take(0.0)
    allowance.take(0.0)
    assert allowance.wait_s(0.0) == 0.25
    assert allowance.wait_s(0.125) == pytest.approx(0.125)
    assert allowance.wait_s(0.25) == 0
    assert allowance.take(0.25)
