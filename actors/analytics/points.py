"""The points of one tournament: made from its state and attempts alone, so that the same again gives the same points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actors.domain.analytics import series, timeline
from actors.domain.analytics.attempts import Columns
from actors.domain.tournament import Tournament
from storage.ports import Point, Value

Key = tuple[str, tuple[tuple[str, str], ...], int]


def points_of(state: Tournament, attempts: Columns, after_ms: int = -1) -> list[Point]:
    """All points of a tournament; `after_ms`: but of buckets that had ended by then. None of one that only opens others."""
    if state.family is not None:
        return []
    tags = {"tournament": str(state.tournament_id), "type": state.spec.type}

    def point(measurement: str, time_ms: int, fields: Mapping[str, Value], **more: str) -> Point:
        return Point(measurement, tags | more, fields, time_ms)

    now = timeline.table(state)
    over = {"finished": int(state.status == "finished"), "cancelled": int(state.status == "cancelled")}
    points = [point(series.CREATED, state.created_ms, series.table_fields(now) | {"created": 1} | over)]
    points.extend(
        point(series.FLOW, flow.time_ms, {"submissions": flow.submissions, "joins": flow.joins})
        for flow in timeline.flow(state, attempts)
        if flow.time_ms + timeline.MINUTE_MS > after_ms
    )
    width = timeline.width_ms(state)
    points.extend(
        point(series.TABLES, time_ms, series.table_fields(table))
        for time_ms, table in timeline.tables(state, attempts, width, after_ms)
    )
    if state.status == "finished" and state.finished_ms is not None:
        points.append(point(series.FINISHED, state.finished_ms, series.table_fields(now) | {"finished": 1}))
        for part, text in enumerate(series.score_texts(timeline.table_scores(state))):
            fields: dict[str, Value] = {"count": len(series.scores_of(text)), "values": text}
            points.append(point(series.SCORES, state.finished_ms, fields, part=str(part)))
    return points


def void(stored: Iterable[Point], points: Iterable[Point]) -> list[Point]:
    """What to write over those stored points that are not among these, so that they say nothing any more."""
    there = {_key(point) for point in points}
    return [
        point._replace(fields={name: 0 for name, value in point.fields.items() if isinstance(value, int)})
        for point in stored
        if _key(point) not in there
    ]


def _key(point: Point) -> Key:
    return point.measurement, tuple(sorted(point.tags.items())), point.time_ms
