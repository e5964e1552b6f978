"""`weighted`: fields of a result times their weights."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from actors.domain.errors import ResultError, ScoreValueError
from actors.domain.messages.scoring import Weighted
from actors.domain.scoring.bounds import bounded
from actors.domain.scoring.rounding import half_away, scaled
from actors.domain.scoring.rules import LARGEST_WEIGHT, WEIGHT_DECIMALS
from actors.domain.values import hundredths

_TO_HUNDREDTHS: Final = 10**WEIGHT_DECIMALS  # a weight in ten-thousandths times a value in hundredths


def score_weighted(scoring: Weighted, result: dict[str, Any]) -> int:
    """Hundredths of `{"correct": 7, "wrong": 2}`: numbers from 0 with at most 2 decimals; a missing field is 0.

    The exact sum is rounded once, half away from zero, then bounded. Raises ResultError for an unknown field, and for none.
    """
    if not result:
        raise ResultError("", f"expected at least one of {', '.join(sorted(scoring.fields))}")
    total = 0
    for name, value in result.items():
        weight = scoring.fields.get(name)
        if weight is None:
            raise ResultError(name, f"expected only {', '.join(sorted(scoring.fields))}")
        total += scaled(weight, WEIGHT_DECIMALS, LARGEST_WEIGHT) * _amount(name, value)
    return bounded(half_away(total, _TO_HUNDREDTHS), scoring.floor, scoring.cap)


def _amount(name: str, value: Any) -> int:
    try:
        amount = hundredths(msgspec.convert(value, float))
    except (msgspec.ValidationError, ScoreValueError) as error:
        raise ResultError(name, str(error)) from None
    if amount < 0:
        raise ResultError(name, "expected 0 or more")
    return amount
