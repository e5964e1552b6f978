"""Rule 10: a log that does not reach from the watermarks on is refused."""

from __future__ import annotations

import pytest

from actors.log_check import LogMismatchError, check_log
from storage.base import LogBounds


@pytest.mark.parametrize(
    ("start", "last", "projected"), [(0, -1, -1), (0, 9, 9), (0, 9, -1), (5, 9, 4), (10, 9, 9), (5, 9, 7)]
)
def test_a_log_that_reaches_on_from_the_watermark_is_taken(start, last, projected):
    check_log({3: LogBounds(start, last)}, {3: projected})


@pytest.mark.parametrize(
    ("start", "last", "projected", "reason"),
    [(0, -1, 0, "ends at -1"), (0, 9, 10, "ends at 9"), (5, 9, 3, "starts at 5"), (1, 9, -1, "starts at 1")],
)
def test_a_watermark_outside_the_log_is_refused(start, last, projected, reason):
    with pytest.raises(LogMismatchError, match=f"partition 3 .* {reason}"):
        check_log({3: LogBounds(start, last)}, {3: projected})
