"""Rule 10: a log that does not reach from the watermarks on is refused."""

from __future__ import annotations

import pytest

from actors.director.log_check import LogMismatchError, check_identity, check_log
from storage.ports import LogBounds


@pytest.mark.parametrize(
    ("start", "last", "projected"), [(0, -1, -1), (0, 9, 9), (0, 9, -1), (5, 9, 4), (10, 9, 9), (5, 9, 7)]
)
@pytest.mark.parametrize("scope", ["partition-3", "tournament-77"])
def test_a_log_that_reaches_on_from_the_watermark_is_taken(start: int, last: int, projected: int, scope: str) -> None:
    check_log({3: LogBounds(start, last)}, {scope: (3, projected)})


@pytest.mark.parametrize(
    ("start", "last", "projected", "reason"),
    [(0, -1, 0, "ends at -1"), (0, 9, 10, "ends at 9"), (5, 9, 3, "starts at 5"), (1, 9, -1, "starts at 1")],
)
@pytest.mark.parametrize("scope", ["partition-3", "tournament-77"])
def test_a_watermark_outside_the_log_is_refused(start: int, last: int, projected: int, reason: str, scope: str) -> None:
    with pytest.raises(
        LogMismatchError, match=f"^{scope} is durable up to offset {projected}, .* partition 3 {reason}"
    ):
        check_log({3: LogBounds(start, last)}, {"partition-2": (3, min(last, max(start, 7))), scope: (3, projected)})


def test_records_that_follow_another_log_are_refused() -> None:
    check_identity(-1, {"partition-3": (3, -1)})
    check_identity(0, {"partition-3": (3, 5)})
    for scope in ("partition-3", "tournament-77"):
        with pytest.raises(LogMismatchError, match="another log"):
            check_identity(-1, {"partition-2": (2, -1), scope: (3, 0)})
