"""Statistics against plain fractions: exact before they are rounded."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.analytics.statistics import (
    HISTOGRAM_BINS,
    Statistics,
    divided,
    histogram,
    parts_per_million,
    statistics,
)
from actors.domain.values import MAX_HUNDREDTHS

values = st.lists(st.integers(-MAX_HUNDREDTHS, MAX_HUNDREDTHS), min_size=1, max_size=40)


def ordered(scores: list[int]) -> np.ndarray:
    return np.array(sorted(scores), np.int64)


def half_away(value: Fraction) -> int:
    return int(math.copysign(1, value)) * math.floor(abs(value) + Fraction(1, 2))


def at(scores: list[int], place: Fraction) -> Fraction:
    """Between two neighbours, as a straight line."""
    low = math.floor(place)
    high = min(low + 1, len(scores) - 1)
    return scores[low] + (place - low) * (scores[high] - scores[low])


@given(values)
def test_statistics_are_those_of_fractions(scores: list[int]) -> None:
    found, sorted_scores, count = statistics(ordered(scores)), sorted(scores), len(scores)
    assert (found.size, found.total, found.low, found.high) == (count, sum(scores), min(scores), max(scores))
    assert found.average == half_away(Fraction(sum(scores), count))
    assert found.median == half_away(Fraction(median([Fraction(each) for each in scores])))
    assert found.q1 == half_away(at(sorted_scores, Fraction(count - 1, 4)))
    assert found.q3 == half_away(at(sorted_scores, Fraction(3 * (count - 1), 4)))
    mean = Fraction(sum(scores), count)
    variance = sum((each - mean) ** 2 for each in scores) / count
    assert found.stddev is not None
    # the nearest integer to the root, without taking it
    assert Fraction(2 * found.stddev - 1, 2) ** 2 <= variance or found.stddev == 0
    assert variance < Fraction(2 * found.stddev + 1, 2) ** 2


def test_halves_go_away_from_zero() -> None:
    assert statistics(ordered([1, 2])).median == 2
    assert statistics(ordered([-2, -1])).median == -2
    assert [divided(n, 2) for n in (-3, -1, 1, 3)] == [-2, -1, 1, 2]


def test_of_nothing_there_is_nothing() -> None:
    assert statistics(ordered([])) == Statistics(0, 0)
    assert histogram(ordered([])) == []
    assert parts_per_million(0, 0) is None
    assert parts_per_million(2, 3) == 666_667


@given(values)
def test_every_score_is_in_one_bin(scores: list[int]) -> None:
    bins = histogram(ordered(scores))
    assert len(bins) <= HISTOGRAM_BINS
    for one in bins:
        assert one.size == sum(one.low <= each < one.high for each in scores)
    assert sum(one.size for one in bins) == len(scores)
    assert all(one.high == other.low for one, other in itertools.pairwise(bins))


@pytest.mark.parametrize(("scores", "width"), [([0, 100], 10), ([0, 1999], 100), ([0, 2000], 200), ([5], 1)])
def test_bins_are_as_narrow_as_there_is_room(scores: list[int], width: int) -> None:
    assert histogram(ordered(scores))[0].high - histogram(ordered(scores))[0].low == width
