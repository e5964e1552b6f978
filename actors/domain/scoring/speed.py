"""`speed`: points that fall with the time taken."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from actors.domain.errors import ResultError
from actors.domain.messages.scoring import Speed
from actors.domain.scoring.reading import read_result
from actors.domain.scoring.rounding import half_away, scaled
from actors.domain.scoring.rules import LONGEST_S
from actors.domain.values import hundredths


class SpeedResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The time taken, in seconds with at most 3 decimals, and whether the answer was right."""

    time_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)]
    correct: bool = True


def score_speed(scoring: Speed, result: dict[str, Any]) -> tuple[int, int]:
    """(points, time in seconds), both in hundredths and rounded once, half away from zero, of `{"time_s": 12.5, "correct": true}`.

    Raises ResultError for a time of more than 3 decimals.
    """
    given = read_result(result, SpeedResult)
    try:
        time_ms = scaled(given.time_s, 3, LONGEST_S)
    except ValueError as error:
        raise ResultError("time_s", str(error)) from None
    subscore = half_away(time_ms, 10)
    if not given.correct:
        return 0, subscore
    begin_ms, end_ms = scaled(scoring.from_s, 3, LONGEST_S), scaled(scoring.to_s, 3, LONGEST_S)
    points, least = hundredths(scoring.points), hundredths(scoring.least)
    late_ms = min(max(time_ms - begin_ms, 0), end_ms - begin_ms)
    return half_away(points * (end_ms - begin_ms) - (points - least) * late_ms, end_ms - begin_ms), subscore
