"""Statistics of scores, exact: the values are integers of hundredths, and so are the results, rounded once, half away from zero.

Computed here and nowhere else: engines cut the median of decimals, or take another value for it.
"""

from __future__ import annotations

from math import isqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

HISTOGRAM_BINS: Final = 20  # at most
_HALF_BITS: Final = 17  # of a value of 35 bits with its sign: squares of both halves fit into 64 bits, so many times


class Statistics(NamedTuple):
    """Of `size` scores; `total` is their sum. All but `size` in hundredths; None of nothing where there is no score.

    `q1`, `median` and `q3` interpolate between the two nearest values (R's type 7): the median of an even count is the mean of two.
    `stddev` is that of the whole population.
    """

    size: int
    total: int
    average: int | None = None
    stddev: int | None = None
    low: int | None = None
    q1: int | None = None
    median: int | None = None
    q3: int | None = None
    high: int | None = None


class Bin(NamedTuple):
    """How many scores are in `[low, high)`, hundredths."""

    low: int
    high: int
    size: int


def divided(numerator: int, denominator: int) -> int:
    """The quotient, rounded half away from zero; `denominator` > 0."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -magnitude if numerator < 0 else magnitude


def statistics(ordered: NDArray[np.int64]) -> Statistics:
    """Of scores in ascending order."""
    count = int(ordered.size)
    if not count:
        return Statistics(0, 0)
    total = int(ordered.sum())
    spread = count * _sum_of_squares(ordered) - total * total  # count^2 times the variance
    return Statistics(
        size=count,
        total=total,
        average=divided(total, count),
        stddev=(isqrt(4 * spread) + count) // (2 * count),
        low=int(ordered[0]),
        q1=quartile(ordered, 1),
        median=quartile(ordered, 2),
        q3=quartile(ordered, 3),
        high=int(ordered[-1]),
    )


def quartile(ordered: NDArray[np.int64], k: int) -> int:
    """The k-th quartile of one score or more in ascending order: at the place `k * (count - 1) / 4`."""
    place, quarters = divmod((int(ordered.size) - 1) * k, 4)
    value = 4 * int(ordered[place])
    if quarters:
        value += quarters * (int(ordered[place + 1]) - int(ordered[place]))
    return divided(value, 4)


def histogram(ordered: NDArray[np.int64]) -> list[Bin]:
    """At most HISTOGRAM_BINS bins of equal width, 1, 2 or 5 times a power of ten hundredths, from the lowest score to the highest."""
    if not ordered.size:
        return []
    low, high = int(ordered[0]), int(ordered[-1])
    width = next(width for width in _widths() if high // width - low // width < HISTOGRAM_BINS)
    first, last = low // width, high // width
    edges = np.arange(first, last + 2, dtype=np.int64) * width
    counts = np.diff(np.searchsorted(ordered, edges, side="left")).tolist()
    return [Bin((first + n) * width, (first + n + 1) * width, count) for n, count in enumerate(counts)]


def parts_per_million(part: int, whole: int) -> int | None:
    """A rate as a millionth, rounded; None of nothing."""
    return divided(part * 1_000_000, whole) if whole else None


def _widths() -> list[int]:
    return [digit * 10**power for power in range(11) for digit in (1, 2, 5)]


def _sum_of_squares(values: NDArray[np.int64]) -> int:
    high = values >> _HALF_BITS
    low = values - (high << _HALF_BITS)
    squares = int(high @ high) << 2 * _HALF_BITS
    return squares + (int(high @ low) << _HALF_BITS + 1) + int(low @ low)
