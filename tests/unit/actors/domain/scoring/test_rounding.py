"""Exact multiples, and rounding half away from zero, against Decimal."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.scoring.rounding import half_away, scaled


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_halves_go_away_from_zero(numerator: int, denominator: int) -> None:
    exact = Decimal(abs(numerator)) / Decimal(denominator)
    rounded = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert half_away(numerator, denominator) == (rounded if numerator >= 0 else -rounded)


@pytest.mark.parametrize(("numerator", "rounded"), [(5, 3), (-5, -3), (3, 2), (-3, -2), (0, 0), (1, 1), (-1, -1)])
def test_examples(numerator: int, rounded: int) -> None:
    assert half_away(numerator, 2) == rounded


@settings(deadline=None)
@given(st.integers(-(10**10), 10**10))
def test_a_number_of_few_decimals_is_its_multiple(multiple: int) -> None:
    assert scaled(float(Decimal(multiple) / 10_000), 4, 1e6) == multiple


@pytest.mark.parametrize("number", [0.12345, 1e6 + 0.1, -1e7, math.nan, math.inf, True])
def test_what_cannot_be_exact_is_an_error(number: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        scaled(number, 4, 1e6)
