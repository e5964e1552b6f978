"""Numbers as files write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from serve_app.formats.read.values import Numbers, guessed_mark

TIMES = Numbers("time")
COMMAS = Numbers(mark="comma")


@pytest.mark.parametrize(
    ("numbers", "value", "score"),
    [
        (Numbers(), "912.50", 912.5),
        (Numbers(), " -0.05 ", -0.05),
        (Numbers(), "1.5e2", 150),
        (Numbers(), "85.00 %", 85),
        (Numbers(), Decimal("99999999.99"), 99_999_999.99),
        (Numbers(), 7, 7),
        (COMMAS, "912,50", 912.5),
        (COMMAS, 912.5, 912.5),
        (TIMES, "1:02:50", 3770),
        (TIMES, "46:54", 2814),
        (TIMES, "1:02.50", 62.5),
        (TIMES, "90:00", 5400),
        (TIMES, "-0:01.5", -1.5),
        (TIMES, "62.5", 62.5),
        (Numbers("time", "comma"), "1:02,5", 62.5),
        (Numbers(rounds=True), "1.005", 1),
        (Numbers(rounds=True), 0.125, 0.12),
    ],
)
def test_numbers(numbers: Numbers, value: Any, score: float) -> None:
    assert numbers.read(value) == score


@pytest.mark.parametrize(
    ("numbers", "value", "told"),
    [
        (Numbers(), "12,5", "expected a decimal point, got 12,5"),
        (COMMAS, "12.5", "expected a decimal comma, got 12.5"),
        (Numbers(), "1,234.50", "without marks between thousands"),
        (COMMAS, "1.234,50", "without marks between thousands"),
        (Numbers(), "1:02:50", "expected points, got a time, 1:02:50"),
        (Numbers("currency"), "1:02", "expected currency, got a time"),
        (TIMES, "1:2:50", "less than 60 minutes and seconds"),
        (TIMES, "1:60:00", "less than 60 minutes and seconds"),
        (TIMES, "0:60", "less than 60 minutes and seconds"),
        (TIMES, "fast", "expected a number of seconds or a time such as 1:02:50, got fast"),
        (TIMES, "1:02.505", "at most 2 decimals"),
        (Numbers(), "", "expected a number"),
        (Numbers(), "NaN", "expected a number"),
        (Numbers(), "1e999", "expected a score from"),
        (Numbers(), float("inf"), "expected a score from"),
        (Numbers(), "100000000", "expected a score from"),
        (Numbers(rounds=True), "99999999.999", "expected a score from"),
        (Numbers(), "１２", "expected a number"),
        (Numbers(), True, "expected a number, got true"),
        (Numbers(), None, "expected a number, got null"),
    ],
)
def test_what_is_no_number_says_what_was_expected(numbers: Numbers, value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        numbers.read(value)


def test_the_mark_is_that_of_the_first_number_with_one() -> None:
    assert guessed_mark(["", "12", None, "3,5", "4.5"]) == "comma"
    assert guessed_mark(["4.5", "3,5"]) == "point"
    assert guessed_mark(["1.234,5", "7,25"]) == "comma"  # of two marks nothing is said
    assert guessed_mark([]) == guessed_mark([1.5, "a, b"]) == "point"
