"""Scoreboards as JSON: the feed that CTFtime reads, and the scoreboard of the CLICS contest API, 2023-06.

- CTFtime: `standings` with `pos`, `team`, `score`, `lastAccept` (Unix seconds). Tasks, which Palio does not know, are left out, as may be.
- CLICS: a row has `num_solved` and `total_time` (minutes) where the tournament is scored as the ICPC, by `penalty`; else a `score`. `time` is
  the minute of the last one that counted. Palio does not keep how each problem stands, so `problems` are left out, as may be; `finalized`
  and `end_of_updates` are null, since somebody may be disqualified at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa

from actors.domain.results.table import told_of
from actors.domain.values import decimal_score, parse_time, rfc3339
from serve_app.formats.write.rows import Row, has_subscore, pieces

_encode = msgspec.json.Encoder().encode


def write_ctftime(table: pa.Table) -> Iterator[bytes]:
    """The feed of CTFtime."""
    yield b'{"standings":['
    yield from _listed(table, _standing)
    yield b"]}"


def _standing(row: Row) -> dict[str, Any]:
    return {
        "pos": row.rank,
        "team": row.shown_name,
        "score": decimal_score(row.score),
        "lastAccept": row.scored_ms // 1000,
    }


def write_clics(table: pa.Table, now_ms: int) -> Iterator[bytes]:
    """The scoreboard of the CLICS contest API."""
    told = told_of(table)
    solved = told.get("scoring", {}).get("kind") == "penalty" and has_subscore(table)
    began_ms = None if told["starts_at"] is None else parse_time(told["starts_at"])
    over_ms = None if told["finished_at"] is None else parse_time(told["finished_at"])
    at_ms = now_ms if over_ms is None else min(now_ms, over_ms)
    head = {
        "time": rfc3339(now_ms),
        "contest_time": _relative(at_ms - (at_ms if began_ms is None else began_ms)),
        "state": _state(told, now_ms),
    }

    def shown(row: Row) -> dict[str, Any]:
        score: dict[str, Any] = {"score": decimal_score(row.score)}
        if solved:
            score = {"num_solved": row.score // 100, "total_time": (row.subscore or 0) // 100}
        if row.score > 0 and began_ms is not None:
            score["time"] = max(0, row.scored_ms - began_ms) // 60_000
        return {"rank": row.rank, "team_id": str(row.user_id), "score": score}

    yield _encode(head)[:-1] + b',"rows":['
    yield from _listed(table, shown)
    yield b"]}"


def _state(told: dict[str, Any], now_ms: int) -> dict[str, str | None]:
    over, ends = told["status"] in ("finished", "cancelled"), told["ends_at"]
    started = told["starts_at"] if told["status"] in ("running", "finished") else None
    ended = told["finished_at"] if over and started is not None else None
    frozen = thawed = None
    if ends is not None and "freeze_s" in told and started is not None:
        freezes_ms = parse_time(ends) - round(told["freeze_s"] * 1000)
        if told.get("frozen") or (ended is not None and freezes_ms <= min(now_ms, parse_time(ended))):
            frozen, thawed = rfc3339(freezes_ms), ended
    return {
        "started": started,
        "ended": ended,
        "frozen": frozen,
        "thawed": thawed,
        "finalized": None,
        "end_of_updates": None,
    }


def _relative(time_ms: int) -> str:
    """A RELTIME: `4:13:07.832`."""
    sign, size = "-" if time_ms < 0 else "", abs(time_ms)
    return f"{sign}{size // 3_600_000}:{size // 60_000 % 60:02d}:{size // 1000 % 60:02d}.{size % 1000:03d}"


def _listed(table: pa.Table, shown: Any) -> Iterator[bytes]:
    comma = b""
    for rows in pieces(table):
        yield comma + b",".join(_encode(shown(row)) for row in rows)
        comma = b","
