"""What analytics and the archive must tell of a contest, by the shortest code that can be checked by eye. It shares nothing with Palio.

When something came in only Palio knows, so its steps are taken from its answer: how many joins and results each had. Of that all else follows,
for results count in the order in which they were sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import accumulate, pairwise
from math import isqrt
from statistics import mean, pvariance, quantiles
from typing import Any, Final, NamedTuple

from scripts.demo.data import Contest, table

METRICS: Final = ("submissions", "joins", "created", "finished", "participation_rate", "completion_rate", "average_score", "median_score",
                  "stddev_score", "q1_score", "q3_score")  # fmt: skip
MOST_BINS: Final = 20  # of a histogram, by docs/analytics.md
CURVES: Final = 10
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Filed(NamedTuple):
    """A row of a file of the archive; `score` in hundredths. `rank`, `score` and `scored_at` are None of somebody without a result."""

    rank: int | None
    user_id: int
    name: str | None
    score: int | None
    attempts: int
    scored_at: datetime | None
    joined_at: datetime
    disqualified: bool
    prizes: list[Any]


def whole(value: Fraction) -> int:
    """Rounded half away from zero."""
    magnitude = int(abs(value) + Fraction(1, 2))
    return -magnitude if value < 0 else magnitude


def scores(values: Sequence[int]) -> dict[str, Any]:
    """The statistics of scores in hundredths, as analytics show them."""
    if not values:
        return {"count": 0} | dict.fromkeys(("average", "stddev", "min", "q1", "median", "q3", "max"))
    exact = [Fraction(value) for value in values]
    q1, median, q3 = quantiles(exact, n=4, method="inclusive") if len(exact) > 1 else exact * 3
    stddev = (isqrt(int(4 * pvariance(exact))) + 1) // 2  # the root, rounded
    shown = {"average": whole(mean(exact)), "stddev": stddev, "min": min(values), "q1": whole(q1), "median": whole(median),
             "q3": whole(q3), "max": max(values)}  # fmt: skip
    return {"count": len(values), **{name: value / 100 for name, value in shown.items()}}


def standing(contest: Contest, joins: int, sent: int) -> dict[str, Any]:
    """How a contest stands after so many joins and results. Nobody is done: attempts have no limit, and nobody says so."""
    rows = table(contest.results[:sent], contest.order, contest.ties)
    rate = whole(Fraction(len(rows) * 1_000_000, joins)) / 1_000_000 if joins else None
    return {"participants": joins, "scored": len(rows), "completed": 0, "participation_rate": rate,
            "completion_rate": 0.0 if joins else None, "submissions": sent,
            "scores": scores([row.score for row in rows])}  # fmt: skip


def report_faults(contest: Contest, report: Mapping[str, Any], filed: Sequence[Filed] = ()) -> list[str]:
    """What of a tournament's analytics does not equal the data; `filed`: the archive's rows, which know when."""
    faults: list[str] = []
    expected = standing(contest, len(contest.entries), len(contest.results))
    _differ(faults, "", {name: report[name] for name in expected}, expected)
    final = table(contest.results, contest.order, contest.ties)
    for each in report["histogram"]:
        inside = sum(each["from"] * 100 <= row.score < each["to"] * 100 for row in final)
        _differ(faults, f"bin {each['from']}", each["count"], inside)
    bins = report["histogram"]
    _differ(faults, "bins", sum(each["count"] for each in bins), len(final))
    if len(bins) > MOST_BINS or any(a["to"] != b["from"] for a, b in pairwise(bins)):
        faults.append(f"bins: expected at most {MOST_BINS}, one after another")

    flow = report["attempts"]
    step = timedelta(seconds=report["step_s"])
    joins, sent = (list(accumulate(each[name] for each in flow)) for name in ("joins", "submissions"))
    ends = [_time(each["time"]) + step for each in flow]
    _differ(faults, "joins of all steps", joins[-1:], [len(contest.entries)])
    _differ(faults, "submissions of all steps", sent[-1:], [len(contest.results)])
    stood = [standing(contest, *upto) for upto in zip(joins, sent, strict=True)]
    _differ(faults, "ends of standings", [_time(each["time"]) for each in report["standings"]], ends)
    for told, wanted in zip(report["standings"], stood, strict=False):
        _differ(faults, f"standings {told['time']}", {name: told[name] for name in wanted}, wanted)

    names = {entry.user_id: entry.name for entry in contest.entries}
    tables = [{row.user_id: row for row in table(contest.results[:upto], contest.order, contest.ties)} for upto in sent]
    curves = [
        {"user_id": str(top.user_id), "name": names[top.user_id],
         "ranks": [rows[top.user_id].rank if top.user_id in rows else None for rows in tables],
         "scores": [rows[top.user_id].score / 100 if top.user_id in rows else None for rows in tables]}
        for top in final[:CURVES]
    ]  # fmt: skip
    _differ(faults, "times of curves", [_time(each) for each in report["curves"]["times"]], ends)
    _differ(faults, "curves", report["curves"]["players"], curves)

    if filed:
        came = Counter(_begin(row.joined_at, step) for row in filed)
        _differ(faults, "joins by step", {_time(e["time"]): e["joins"] for e in flow if e["joins"]}, dict(came))
    if filed and len(final) == len(contest.results):  # one result each, so each row tells when it came
        came = Counter(_begin(row.scored_at, step) for row in filed if row.scored_at)
        told = {_time(e["time"]): e["submissions"] for e in flow if e["submissions"]}
        _differ(faults, "submissions by step", told, dict(came))
    return faults


def series_faults(report: Mapping[str, Any], series: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What of a tournament's series, by METRICS, does not equal its report, which was compared with the data."""
    faults: list[str] = []
    width = timedelta(seconds=report["step_s"])
    stood = [(_time(each["time"]) - width, each) for each in report["standings"]]
    for metric, answer in series.items():
        step = timedelta(seconds=answer["step_s"])
        told = {_time(point["time"]): point["value"] for point in answer["points"] if point["value"]}
        wanted: dict[datetime, float] = {}
        if metric in ("submissions", "joins"):
            for each in report["attempts"]:
                begin = _begin(_time(each["time"]), step)
                wanted[begin] = wanted.get(begin, 0) + each[metric]
        elif metric in ("created", "finished"):
            _differ(faults, metric, list(told.values()), [1])
            continue
        else:
            for begin, each in stood:  # the last one of a step stays
                of = each["scores"] if metric.endswith("_score") else each
                wanted[_begin(begin, step)] = of[metric.removesuffix("_score")]
        _differ(faults, metric, told, {time: value for time, value in wanted.items() if value})
    return faults


def archive_faults(contest: Contest, filed: Sequence[Filed]) -> list[str]:
    """What of an archive's file does not equal the data: everybody once, as listed, who is without a result last, by id."""
    names = {entry.user_id: entry.name for entry in contest.entries}
    sent = Counter(result.user_id for result in contest.results)
    listed = table(contest.results, contest.order, contest.ties)
    wanted: list[tuple[Any, ...]] = [(r.rank, r.user_id, names[r.user_id], r.score, sent[r.user_id]) for r in listed]
    wanted += [(None, user, names[user], None, 0) for user in sorted(names.keys() - sent.keys())]
    faults: list[str] = []
    for number, (row, expected) in enumerate(zip(filed, wanted, strict=False), start=1):
        _differ(faults, f"row {number}", (*row[:5], row.disqualified, row.prizes), (*expected, False, []))
    _differ(faults, "rows", len(filed), len(wanted))
    return faults


def _differ(faults: list[str], what: str, got: Any, expected: Any) -> None:
    if got != expected:
        faults.append(f"{what}: expected {str(expected)[:200]}, got {str(got)[:200]}".removeprefix(": "))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _begin(time: datetime, step: timedelta) -> datetime:
    return EPOCH + (time - EPOCH) // step * step
