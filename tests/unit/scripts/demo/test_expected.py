"""What the club evening must come to, by hand."""

from __future__ import annotations

import pytest

from scripts.demo.data import Row
from scripts.demo.expected import cents_of_places, points


@pytest.mark.parametrize(
    ("net", "hundredths"),
    [
        (3_000_00, 1000_00),  # faster than an hour
        (3_600_00, 1000_00),
        (6_300_00, 500_00),  # half way
        (9_000_00, 0),
        (9_100_00, 0),
        (3_601_00, 999_81),  # 1000 - 1000 / 5400 = 999.8148...
        (4_000_00, 925_93),  # 925.9259...
    ],
)
def test_points_for_a_time(net: int, hundredths: int) -> None:
    assert points(net) == hundredths


@pytest.mark.parametrize(
    ("ranks", "shares"),
    [
        ([1, 2, 3, 4], {1: 100, 2: 100, 3: 100}),
        ([1, 1, 3, 4], {1: 100, 2: 100, 3: 100}),
        ([1, 2, 2, 2, 5], {1: 100, 2: 67, 3: 67, 4: 66}),  # three share two places
        ([1, 1, 1, 1, 5], {1: 75, 2: 75, 3: 75, 4: 75}),
        ([1], {1: 100}),
        ([], {}),
    ],
)
def test_who_ties_shares_to_the_last_cent(ranks: list[int], shares: dict[int, int]) -> None:
    rows = [Row(rank, user, 0) for user, rank in enumerate(ranks, start=1)]
    assert cents_of_places(rows, 3, 100) == shares
