"""Analytics for operators: what tournaments came to, their series, and all of one, as JSON or CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from actors.domain.analytics.series import METRICS
from actors.domain.analytics.statistics import Statistics
from actors.domain.analytics.timeline import MINUTE_MS, Table
from actors.domain.values import parse_id, parse_time, rfc3339
from serve_app.handlers.callers import Callers
from serve_app.http.caching import PERSONAL
from serve_app.http.headers import attachment
from serve_app.http.messages import Request, Response
from serve_app.http.problems import invalid
from serve_app.http.query import query_int
from serve_app.pictures.report import FORMS, PARTS, THEMES, Form, Part, Theme, draw
from serve_app.services.analytics import MAX_STEPS, TYPES, Analytics, Range, Report, Summary, rate, score
from serve_app.services.reads import Reads, unknown_tournament

CSV: Final = "text/csv; charset=utf-8"
DAY_MS: Final = 86_400_000
SUMMARY_MS: Final = 30 * DAY_MS  # unless told otherwise
SERIES_MS: Final = DAY_MS
MAX_STEP_S: Final = 400 * DAY_MS // 1000
DEFAULT_STEPS: Final = 120  # about
STEPS_S: Final = (60, 300, 900, 3_600, 21_600, 86_400, 604_800)
REPORT_TABLES: Final = ("standings", "attempts", "histogram", "curves")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class AnalyticsHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    analytics: Analytics
    clock_ms: Callable[[], int]

    async def analytics_summary(self, request: Request) -> Response:
        """`GET /v1/analytics/summary`: of all tournaments of a range, and of each type."""
        await self.callers.operator(request)
        as_csv = _wants_csv(request)
        asked = self._range(request, SUMMARY_MS)
        found = await self.analytics.summaries(asked)
        rows = [_summary(summary) for summary in found]
        if as_csv:
            flat = [{"type": "all", **row, **row.pop("scores")} for row in rows]
            return _csv(list(flat[0]), (row.values() for row in flat))
        (total, *types) = rows
        total.pop("type")
        types.sort(key=lambda row: (-row["joins"], row["type"]))
        shown = {"from": rfc3339(asked.from_ms), "to": rfc3339(asked.until_ms), "type": asked.type}
        return _json({**shown, **total, "types": types})

    async def analytics_series(self, request: Request) -> Response:
        """`GET /v1/analytics/series`: one metric by steps of time."""
        await self.callers.operator(request)
        as_csv = _wants_csv(request)
        metric = request.query.get("metric", "")
        if metric not in METRICS:
            raise invalid("metric", f"expected one of {', '.join(METRICS)}, got {metric[:40]!r}")
        asked = self._range(request, SERIES_MS)
        tournament = request.query.get("tournament")
        if tournament is not None:
            asked = asked._replace(tournament=_id(tournament))
        of_tournaments = METRICS[metric].of_tournaments
        for name, value in (("tournament", asked.tournament), ("type", asked.type)):
            if value is not None and not of_tournaments:
                raise invalid(name, f"expected none: {metric} is of the entrypoints")
        span_s = (asked.until_ms - asked.from_ms) // 1000
        default = next((step for step in STEPS_S if span_s <= step * DEFAULT_STEPS), STEPS_S[-1])
        step_s = query_int(request.query, "step", default, 60, MAX_STEP_S)
        if step_s % 60:
            raise invalid("step", f"expected whole minutes, in seconds, got {step_s}")
        step_ms = step_s * 1000
        from_ms, until_ms = asked.from_ms // step_ms * step_ms, -(-asked.until_ms // step_ms) * step_ms
        if (until_ms - from_ms) // step_ms > MAX_STEPS:
            raise invalid("step", f"expected at most {MAX_STEPS} steps: a longer step, or a shorter range")
        asked = asked._replace(from_ms=from_ms, until_ms=until_ms)
        values = await self.analytics.values(metric, asked, step_ms)
        shown = {"ratio": lambda value: value / 1_000_000, "score": score}.get(
            METRICS[metric].unit, lambda value: value
        )
        points = [(rfc3339(time_ms), None if value is None else shown(value)) for time_ms, value in values]
        if as_csv:
            return _csv(["time", metric], points)
        body = {
            "metric": metric,
            "unit": METRICS[metric].unit,
            "type": asked.type,
            "tournament": asked.tournament,
            "from": rfc3339(from_ms),
            "to": rfc3339(until_ms),
            "step_s": step_s,
            "points": [{"time": time, "value": value} for time, value in points],
        }
        return _json(body)

    async def analytics_tournament(self, request: Request) -> Response:
        """`GET /v1/analytics/tournaments/{id}`: all there is to tell of one."""
        report = await self._report(request)
        if _wants_csv(request):
            return _csv_of_report(report, request.query.get("table", "standings"))
        return _json(report_body(report))

    async def analytics_picture(self, request: Request) -> Response:
        """`GET /v1/analytics/tournaments/{id}/picture`: its report as SVG or PNG."""
        form: Form = _one_of(request, "format", FORMS)
        part: Part = _one_of(request, "part", PARTS)
        theme: Theme = _one_of(request, "theme", THEMES)
        report = await self._report(request)
        async with self.analytics.gate:
            picture = await asyncio.to_thread(draw, report, form, part, theme)
        name = f"tournament-{report.state.tournament_id}-{part}.{form}"
        headers = {**PERSONAL, "content-disposition": attachment(name)}
        return Response(200, picture, headers, FORMS[form])

    async def _report(self, request: Request) -> Report:
        principal = await self.callers.operator(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        report = await self.analytics.report(known.tournament_id)
        if report is None:
            raise unknown_tournament(known.text)
        return report

    def _range(self, request: Request, default_ms: int) -> Range:
        """Raises Problem 422."""
        until_ms = _time(request, "to", self.clock_ms() // MINUTE_MS * MINUTE_MS + MINUTE_MS)
        from_ms = _time(request, "from", max(0, until_ms - default_ms))
        if from_ms >= until_ms:
            raise invalid("from", "expected a time before `to`")
        kind = request.query.get("type")
        if kind is not None and kind not in TYPES:
            raise invalid("type", f"expected one of {', '.join(TYPES)}, got {kind[:40]!r}")
        return Range(from_ms, until_ms, kind)


def report_body(report: Report) -> dict[str, Any]:
    """A tournament's report as JSON."""
    state, spec = report.state, report.state.spec
    return {
        "tournament_id": str(state.tournament_id),
        "name": spec.name,
        "type": spec.type,
        "status": state.status,
        "as_of": rfc3339(state.time_ms),
        "starts_at": None if spec.starts_ms is None else rfc3339(spec.starts_ms),
        "ends_at": None if spec.ends_ms is None else rfc3339(spec.ends_ms),
        "finished_at": None if state.finished_ms is None else rfc3339(state.finished_ms),
        **_standing(report.table),
        "histogram": [{"from": score(low), "to": score(high), "count": size} for low, high, size in report.bins],
        "step_s": report.width_ms // 1000,
        "attempts": [
            {"time": rfc3339(flow.time_ms), "submissions": flow.submissions, "joins": flow.joins}
            for flow in report.flow
        ],
        "standings": [{"time": rfc3339(time_ms), **_standing(table)} for time_ms, table in report.tables],
        "curves": {
            "times": [rfc3339(time_ms) for time_ms in report.curves.times_ms],
            "players": [
                {
                    "user_id": str(curve.user_id),
                    "name": curve.name,
                    "ranks": curve.ranks,
                    "scores": [score(each) for each in curve.scores],
                }
                for curve in report.curves.curves
            ],
        },
    }


def _standing(table: Table) -> dict[str, Any]:
    return {
        "participants": table.joined,
        "scored": table.scored,
        "completed": table.completed,
        "participation_rate": rate(table.scored, table.joined),
        "completion_rate": rate(table.completed, table.joined),
        "submissions": table.submissions,
        "scores": _scores(table.scores),
    }


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "type": summary.type or "all",
        "created": summary.created,
        "cancelled": summary.cancelled,
        "finished": summary.finished,
        "submissions": summary.submissions,
        "joins": summary.joins,
        "participants": summary.participants,
        "scored": summary.scored,
        "completed": summary.completed,
        "participation_rate": rate(summary.scored, summary.participants),
        "completion_rate": rate(summary.completed, summary.participants),
        "scores": _scores(summary.scores),
    }


def _scores(scores: Statistics) -> dict[str, Any]:
    return {
        "count": scores.size,
        "average": score(scores.average),
        "stddev": score(scores.stddev),
        "min": score(scores.low),
        "q1": score(scores.q1),
        "median": score(scores.median),
        "q3": score(scores.q3),
        "max": score(scores.high),
    }


def _csv_of_report(report: Report, table: str) -> Response:
    """Raises Problem 422 for a table that there is not."""
    if table not in REPORT_TABLES:
        raise invalid("table", f"expected one of {', '.join(REPORT_TABLES)}, got {table[:40]!r}")
    body = report_body(report)
    if table == "curves":
        times, players = body["curves"]["times"], body["curves"]["players"]
        rows = [
            [time, player["user_id"], player["name"], player["ranks"][n], player["scores"][n]]
            for n, time in enumerate(times)
            for player in players
        ]
        return _csv(["time", "user_id", "name", "rank", "score"], rows)
    if table == "standings":
        now = {"time": body["as_of"], **_standing(report.table)}
        flat = [{**row, **row.pop("scores")} for row in [*body["standings"], now]]
        return _csv(list(flat[0]), (row.values() for row in flat))
    names = {"attempts": ["time", "submissions", "joins"], "histogram": ["from", "to", "count"]}[table]
    return _csv(names, ([row[name] for name in names] for row in body[table]))


def _csv(names: Sequence[str], rows: Iterable[Iterable[Any]]) -> Response:
    """RFC 4180, with a head. Names of users that a spreadsheet would take for a formula get a quote before them."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return Response(200, text.getvalue().encode(), dict(_HEADERS), CSV)


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _json(body: dict[str, Any]) -> Response:
    return Response(200, _encode(body), dict(_HEADERS))


_HEADERS: Final = {**PERSONAL, "vary": "authorization, accept"}


def _wants_csv(request: Request) -> bool:
    """By `format`, else by `Accept`. Raises Problem 422."""
    wanted = request.query.get("format")
    if wanted is not None:
        if wanted not in ("json", "csv"):
            raise invalid("format", f"expected json or csv, got {wanted[:40]!r}")
        return wanted == "csv"
    accepted = request.headers.get("accept", "").lower()
    return "text/csv" in accepted and "application/json" not in accepted


def _time(request: Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    try:
        return parse_time(text)
    except ValueError as error:
        raise invalid(name, str(error)) from error


def _one_of(request: Request, name: str, known: Iterable[str]) -> Any:
    """One of the words that a field of the query may be, the first unless told otherwise. Raises Problem 422."""
    words = list(known)
    wanted = request.query.get(name, words[0])
    if wanted not in words:
        raise invalid(name, f"expected one of {', '.join(words)}, got {wanted[:40]!r}")
    return wanted


def _id(text: str) -> str:
    try:
        return str(parse_id(text))
    except ValueError as error:
        raise invalid("tournament", "expected the id of a tournament") from error
