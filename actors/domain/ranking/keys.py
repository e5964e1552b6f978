"""The key of a ranked member: one int64, `mark << 29 | tie`, ascending in rank order.

The mark is the score in hundredths, negated where the highest leads; the tie counts placements. |mark| < 10^10 < 2^34,
so that a key is exact.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

TIE_BITS: Final = 29
TIE_LIMIT: Final = 1 << TIE_BITS
NO_KEY: Final = 2**63 - 1  # stands for "not in the order"; above every key, so that it never counts as smaller

Key = TypeVar("Key", int, NDArray[np.int64])


def floor(key: Key) -> Key:
    """The lowest key with the same mark: what is below it is strictly better."""
    return (key >> TIE_BITS) << TIE_BITS


def tied_ranks(ties: str, equal_to_last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The 1-based ranks of rows in listing order by a tie rule, from whether each is equal to the one before (the first is not)."""
    places = np.arange(1, len(equal_to_last) + 1)
    if ties == "first" or not len(places):
        return places
    if ties == "dense":
        return np.cumsum(~equal_to_last)
    return np.maximum.accumulate(np.where(equal_to_last, 0, places))
