"""Grades as the gradebooks of Moodle and Canvas take them: CSV, one row a participant.

Moodle asks at the import which column tells users apart: `ID number` is Palio's user id. Canvas finds students by `SIS User ID`, which is the
same here, and wants a row of the points possible, which Palio does not know: it stays empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, get_args

import pyarrow as pa

from actors.domain.results.table import told_of
from actors.domain.scoring.display import score_text
from serve_app.formats.write.csv_text import guarded, lines
from serve_app.formats.write.rows import Row, pieces

System = Literal["moodle", "canvas"]
SYSTEMS: Final[tuple[str, ...]] = get_args(System)


def write_moodle(table: pa.Table) -> Iterator[bytes]:
    """ID number, Name, and the grade under the tournament's name."""
    yield lines([["ID number", "Name", guarded(told_of(table)["name"])]])
    for rows in pieces(table):
        yield lines([row.user_id, guarded(row.shown_name), score_text(row.score)] for row in rows)


def write_canvas(table: pa.Table) -> Iterator[bytes]:
    """The five columns of Canvas, and the grade under the tournament's name."""
    yield lines(
        [
            ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", guarded(told_of(table)["name"])],
            ["    Points Possible", "", "", "", "", ""],
        ]
    )
    for rows in pieces(table):
        yield lines(map(_canvas_row, rows))


def _canvas_row(row: Row) -> list[str | int]:
    return [guarded(row.shown_name), "", row.user_id, "", "", score_text(row.score)]
