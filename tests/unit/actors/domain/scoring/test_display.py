"""Scores as people read them."""

from __future__ import annotations

import pytest

from actors.domain.scoring.display import score_text


@pytest.mark.parametrize(
    ("hundredths", "unit", "decimals", "text"),
    [
        (281_400, "time", 0, "46:54"),
        (5999, "time", 0, "1:00"),  # and no 0:60
        (5949, "time", 1, "0:59.5"),
        (372_950, "time", 2, "1:02:09.50"),
        (-500, "time", 0, "-0:05"),
        (-49, "time", 0, "0:00"),
        (91_250, "points", 2, "912.50"),
        (91_250, "points", 1, "912.5"),
        (91_250, "currency", 0, "913"),
        (-5, "points", 2, "-0.05"),
        (-4, "points", 1, "0.0"),
        (9_999_999_999, "currency", 2, "99,999,999.99"),
        (0, "points", 2, "0.00"),
        (5, "points", 2, "0.05"),
        (-100, "points", 2, "-1.00"),
    ],
)
def test_in_its_unit(hundredths: int, unit: str, decimals: int, text: str) -> None:
    assert score_text(hundredths, unit, decimals, thousands=",") == text
    assert score_text(hundredths, unit, decimals) == text.replace(",", "")
