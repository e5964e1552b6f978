"""Weighted fields against an independent sum in Decimal."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from actors.domain.errors import ResultError
from actors.domain.messages.scoring import Weighted
from actors.domain.scoring.weighted import score_weighted

NAMES = ("correct", "wrong", "skipped")


def decimals(places: int, largest: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-largest * 10**places, largest * 10**places).map(lambda n: Decimal(n).scaleb(-places))


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), decimals(4, 100), min_size=3),
    st.dictionaries(st.sampled_from(NAMES), decimals(2, 500).map(abs), min_size=1),
    st.none() | decimals(2, 50),
    st.none() | decimals(2, 50).map(abs),
)
def test_as_in_decimal(
    weights: dict[str, Decimal], values: dict[str, Decimal], floor: Decimal | None, room: Decimal | None
) -> None:
    cap = None if room is None else (floor or Decimal(0)) + room
    scoring = Weighted(
        fields={name: float(weight) for name, weight in weights.items()},
        floor=UNSET if floor is None else float(floor),
        cap=UNSET if cap is None else float(cap),
    )
    wanted = sum((weights[name] * value for name, value in values.items()), Decimal(0))
    wanted = wanted.quantize(Decimal("0.01"), ROUND_HALF_UP)
    if floor is not None:
        wanted = max(wanted, floor)
    if cap is not None:
        wanted = min(wanted, cap)
    assert score_weighted(scoring, {name: float(value) for name, value in values.items()}) == wanted * 100


def test_an_exam() -> None:
    scoring = Weighted(fields={"correct": 2, "wrong": -0.5}, floor=0)
    assert score_weighted(scoring, {"correct": 7, "wrong": 3}) == 1250
    assert score_weighted(scoring, {"wrong": 3}) == 0
    assert score_weighted(Weighted(fields={"a": 0.125}), {"a": 1}) == 13  # 0.125 is 0.13
    assert score_weighted(Weighted(fields={"a": -0.125}), {"a": 1}) == -13


@pytest.mark.parametrize(
    ("result", "field"),
    [
        ({}, ""), ({"corect": 1}, "corect"), ({"correct": -1}, "correct"), ({"correct": 0.123}, "correct"),
        ({"correct": True}, "correct"), ({"correct": "7"}, "correct"), ({"correct": None}, "correct"),
        ({"correct": 1e9}, "correct"), ({"correct": [1]}, "correct"), ({"correct": 10**400}, "correct"),
    ],
)  # fmt: skip
def test_what_does_not_fit_names_the_field(result: dict[str, Any], field: str) -> None:
    with pytest.raises(ResultError) as caught:
        score_weighted(Weighted(fields={"correct": 2}), result)
    assert caught.value.field == field
