"""Points that fall with the time, against Decimal."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.errors import ResultError
from actors.domain.messages.scoring import Speed
from actors.domain.scoring.speed import score_speed


@settings(deadline=None)
@given(
    st.integers(-1000, 100_000), st.integers(0, 100_000), st.integers(0, 5_000), st.integers(1, 60_000),
    st.integers(0, 90_000),
)  # fmt: skip
def test_as_in_decimal(least: int, more: int, from_ms: int, lasts_ms: int, time_ms: int) -> None:
    points = least + more
    exact = {name: Decimal(n).scaleb(-2) for name, n in (("points", points), ("least", least))}
    begin, end, taken = (Decimal(n).scaleb(-3) for n in (from_ms, from_ms + lasts_ms, time_ms))
    share = min(max((taken - begin) / (end - begin), Decimal(0)), Decimal(1))
    if taken <= begin or taken >= end:
        wanted = exact["points"] if taken <= begin else exact["least"]
    else:
        del share
        hundredths = (exact["points"] * (end - taken) + exact["least"] * (taken - begin)) * 100
        # exact as a fraction: no quotient is cut before it is rounded
        whole, rest = divmod(abs(hundredths), end - begin)
        wanted = (whole + (2 * rest >= end - begin)).copy_sign(hundredths) / 100
    scoring = Speed(points=float(exact["points"]), least=float(exact["least"]), from_s=float(begin), to_s=float(end))
    score, subscore = score_speed(scoring, {"time_s": float(taken)})
    assert score == wanted * 100
    assert subscore == taken.quantize(Decimal("0.01"), ROUND_HALF_UP) * 100


def test_a_quiz() -> None:
    scoring = Speed(points=1000, least=500, from_s=2, to_s=22)
    assert score_speed(scoring, {"time_s": 1.5}) == (100_000, 150)
    assert score_speed(scoring, {"time_s": 12}) == (75_000, 1200)
    assert score_speed(scoring, {"time_s": 30, "correct": True}) == (50_000, 3000)
    assert score_speed(scoring, {"time_s": 3, "correct": False}) == (0, 300)
    assert score_speed(scoring, {"time_s": 2.005})[1] == 201


@pytest.mark.parametrize(
    "result", [{}, {"time_s": -1}, {"time_s": "3"}, {"time_s": 3, "right": True}, {"time_s": 1e300}]
)
def test_what_does_not_fit(result: dict[str, object]) -> None:
    with pytest.raises(ResultError):
        score_speed(Speed(points=1, to_s=2), result)


def test_more_than_milliseconds_do_not_fit() -> None:
    with pytest.raises(ResultError) as caught:
        score_speed(Speed(points=1, to_s=2), {"time_s": 0.0005})
    assert caught.value.field == "time_s"
