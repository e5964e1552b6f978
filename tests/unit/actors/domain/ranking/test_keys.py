from __future__ import annotations

import numpy as np
import pytest

from actors.domain.ranking.keys import NO_KEY, TIE_BITS, TIE_LIMIT, floor
from actors.domain.values import MAX_HUNDREDTHS


@pytest.mark.parametrize("mark", [0, 1, -1, MAX_HUNDREDTHS, -MAX_HUNDREDTHS])
def test_the_floor_is_the_lowest_key_of_a_mark(mark: int) -> None:
    lowest, highest = mark << TIE_BITS, (mark << TIE_BITS) | (TIE_LIMIT - 1)
    assert floor(lowest) == floor(highest) == lowest
    assert floor(highest + 1) == (mark + 1) << TIE_BITS
    assert floor(np.array([lowest, highest], np.int64)).tolist() == [lowest, lowest]


def test_every_key_fits_and_is_below_no_key() -> None:
    highest = (MAX_HUNDREDTHS << TIE_BITS) | (TIE_LIMIT - 1)
    assert -MAX_HUNDREDTHS << TIE_BITS > -(2**63)
    assert highest < NO_KEY
    assert NO_KEY >> TIE_BITS > MAX_HUNDREDTHS  # no score is taken for it
    assert np.array([NO_KEY], np.int64)[0] == NO_KEY
