"""Amounts in the smallest unit of each currency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.prizes.money import DECIMALS, MAX_UNITS, amount_text, decimals_of, units_of


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("100.01", "EUR", 10001),
        ("100", "EUR", 10000),
        ("0.5", "USD", 50),
        ("1000", "JPY", 1000),
        ("1.005", "BHD", 1005),
        ("0.001", "KWD", 1),
        ("2.5", "UYW", 25000),
    ],
)
def test_units_are_exact(amount: str, currency: str, units: int) -> None:
    assert units_of(amount, currency) == units


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [
        ("100.001", "EUR", "at most 2 decimals of EUR"),
        ("1.5", "JPY", "at most 0 decimals of JPY"),
        ("1.0005", "BHD", "at most 3 decimals"),
        ("0", "EUR", "from 1 to"),
        ("0.00", "EUR", "from 1 to"),
        ("-1", "EUR", "decimal text"),
        ("+1", "EUR", "decimal text"),
        ("1e3", "EUR", "decimal text"),
        ("1,5", "EUR", "decimal text"),
        (" 1", "EUR", "decimal text"),
        ("01", "EUR", "decimal text"),
        ("\u0661", "EUR", "decimal text"),
        ("1.", "EUR", "decimal text"),
        ("9" * 16, "EUR", "from 1 to"),
        ("1", "XYZ", "expected a currency of ISO 4217"),
        ("1", "XAU", "expected a currency of ISO 4217"),
    ],
)
def test_what_is_no_amount_is_told(amount: str, currency: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        units_of(amount, currency)


def test_the_table_is_that_of_the_standard() -> None:
    assert len(DECIMALS) == 17 + 139 + 7 + 2
    assert {code: decimals_of(code) for code in ("JPY", "EUR", "BHD", "CLF")} == {
        "JPY": 0, "EUR": 2, "BHD": 3, "CLF": 4,
    }  # fmt: skip


@given(st.integers(1, MAX_UNITS), st.sampled_from(sorted(DECIMALS)))
def test_text_and_units_are_the_same_amount(units: int, currency: str) -> None:
    assert units_of(amount_text(units, currency), currency) == units
