"""Exact decimals: JSON numbers as whole multiples of a power of ten, and one rounding, half away from zero."""

from __future__ import annotations

import math


def scaled(number: float, decimals: int, largest: float) -> int:
    """A JSON number times 10^decimals, exactly. Raises ValueError for one with more decimals, or beyond +-`largest`.

    Sound while `largest` * 10^decimals < 2^52: dividing the rounded multiple gives the same double back if, and only if, the number
    had no more decimals.
    """
    if isinstance(number, bool) or not math.isfinite(number) or not -largest <= number <= largest:
        raise ValueError(f"expected a number from {-largest:.10g} to {largest:.10g}, got {number!r}")
    factor: int = 10**decimals
    multiple = round(number * factor)
    if multiple / factor != number:
        raise ValueError(f"expected at most {decimals} decimals, got {number!r}")
    return multiple


def half_away(numerator: int, denominator: int) -> int:
    """The quotient as a whole number, halves away from zero: 2.5 is 3, -2.5 is -3. `denominator` is positive."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude
