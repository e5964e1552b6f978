"""Floor and cap."""

from __future__ import annotations

import pytest
from msgspec import UNSET, UnsetType

from actors.domain.scoring.bounds import bounded


@pytest.mark.parametrize(
    ("score", "floor", "cap", "wanted"),
    [(150, UNSET, UNSET, 150), (150, 2, UNSET, 200), (150, UNSET, 1.25, 125), (-5, 0, 10, 0), (5, 0, 10, 5)],
)
def test_a_score_stays_within(score: int, floor: float | UnsetType, cap: float | UnsetType, wanted: int) -> None:
    assert bounded(score, floor, cap) == wanted
