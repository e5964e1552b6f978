"""The answers of analytics, for the documentation."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from serve_app.api.answers import Answer, Id, Status, Time

AnalyticsType = Literal["scheduled", "instant"]
Rate = float | None  # of nothing there is none
Score = float | None
_SCORES: Final[dict[str, Any]] = {
    "count": 4042, "average": 61.38, "stddev": 18.02, "min": 2.5, "q1": 49.1, "median": 62.33, "q3": 74.85, "max": 99.2,
}  # fmt: skip


class Scores(Answer):
    """The scores of a table, rounded half away from zero to hundredths; null where there is none. `stddev` is of the whole population."""

    count: int
    average: Score
    stddev: Score
    min: Score
    q1: Score
    median: Score
    q3: Score
    max: Score
    example: ClassVar[dict[str, Any]] = _SCORES


class Came(Answer):
    """What tournaments came to. `created` (and `cancelled` of them), `submissions` and `joins` are of the range; the rest is of the final
    tables of those that `finished` in it."""

    created: int
    cancelled: int
    finished: int
    submissions: int
    joins: int
    participants: int
    scored: int
    completed: int
    participation_rate: Rate
    completion_rate: Rate
    scores: Scores
    example: ClassVar[dict[str, Any]] = {
        "created": 66, "cancelled": 0, "finished": 65, "submissions": 8100, "joins": 4059, "participants": 4059, "scored": 4042,
        "completed": 4010, "participation_rate": 0.995812, "completion_rate": 0.987928, "scores": _SCORES,
    }  # fmt: skip


class TypeCame(Came):
    """The same of one type."""

    type: AnalyticsType


class AnalyticsSummary(Came):
    """Of a range: all, and each type, the most joined first."""

    from_: Annotated[Time, Field(alias="from")]
    to: Time
    type: AnalyticsType | None
    types: list[TypeCame]
    example: ClassVar[dict[str, Any]] = {
        "from": "2027-05-01T00:00:00.000Z", "to": "2027-05-31T00:00:00.000Z", "type": "scheduled", **Came.example,
        "types": [Came.example | {"type": "scheduled"}],
    }  # fmt: skip


class SeriesValue(Answer):
    """The value of the step that begins at `time`; null where there is none."""

    time: Time
    value: float | None


class AnalyticsSeries(Answer):
    """One metric by steps of `step_s`, all of the range widened to whole steps; those of counts are 0 where nothing was."""

    metric: str
    unit: Literal["count", "ratio", "score", "ms"]
    type: AnalyticsType | None
    tournament: Id | None
    from_: Annotated[Time, Field(alias="from")]
    to: Time
    step_s: int
    points: list[SeriesValue]
    example: ClassVar[dict[str, Any]] = {
        "metric": "submissions", "unit": "count", "type": "scheduled", "tournament": "8127364512893471",
        "from": "2027-05-01T09:00:00.000Z", "to": "2027-05-01T09:02:00.000Z", "step_s": 60,
        "points": [{"time": "2027-05-01T09:00:00.000Z", "value": 17}, {"time": "2027-05-01T09:01:00.000Z", "value": 0}],
    }  # fmt: skip


class Standing(Answer):
    """How a table stands: who takes part, who of them is in the table, who is done or has used all attempts; what was sent and counted."""

    participants: int
    scored: int
    completed: int
    participation_rate: Rate
    completion_rate: Rate
    submissions: int
    scores: Scores
    example: ClassVar[dict[str, Any]] = {
        "participants": 63, "scored": 62, "completed": 60, "participation_rate": 0.984127, "completion_rate": 0.952381,
        "submissions": 124, "scores": _SCORES,
    }  # fmt: skip


class StandingThen(Standing):
    """The same at a time: the end of a step in which something came in."""

    time: Time


class Bin(Answer):
    """How many scores are in [`from`, `to`)."""

    from_: Annotated[float, Field(alias="from")]
    to: float
    count: int


class Inflow(Answer):
    """What came in within the step that begins at `time`; steps in which nothing did are left out."""

    time: Time
    submissions: int
    joins: int


class RankCurve(Answer):
    """The ranks and scores of one who is among the first ten at last; null before they were in the table."""

    user_id: Id
    name: str | None
    ranks: list[int | None]
    scores: list[Score]


class RankCurves(Answer):
    """By the same `times`, the best at last first."""

    times: list[Time]
    players: list[RankCurve]


class TournamentAnalytics(Standing):
    """All there is to tell of one tournament, as of the record applied at `as_of`."""

    tournament_id: Id
    name: str
    type: AnalyticsType
    status: Status
    as_of: Time
    starts_at: Time | None
    ends_at: Time | None
    finished_at: Time | None
    histogram: list[Bin]
    step_s: int
    attempts: list[Inflow]
    standings: list[StandingThen]
    curves: RankCurves
    example: ClassVar[dict[str, Any]] = {
        "tournament_id": "8127364512893471", "name": "Spring exam", "type": "scheduled", "status": "finished",
        "as_of": "2027-05-01T10:00:00.000Z", "starts_at": "2027-05-01T09:00:00.000Z", "ends_at": "2027-05-01T10:00:00.000Z",
        "finished_at": "2027-05-01T10:00:00.000Z", **Standing.example, "histogram": [{"from": 0, "to": 5, "count": 3}], "step_s": 60,
        "attempts": [{"time": "2027-05-01T09:00:00.000Z", "submissions": 17, "joins": 63}],
        "standings": [{"time": "2027-05-01T09:01:00.000Z", **Standing.example}],
        "curves": {
            "times": ["2027-05-01T09:01:00.000Z", "2027-05-01T09:02:00.000Z"],
            "players": [{"user_id": "42", "name": "Rita", "ranks": [3, 1], "scores": [81.5, 99.2]}],
        },
    }  # fmt: skip
