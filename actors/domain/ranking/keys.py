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
