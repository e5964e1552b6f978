"""CSV (RFC 4180): UTF-8 without a mark, CRLF, a header row. What a spreadsheet would take for a formula is text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa

from actors.domain.results.table import told_of
from actors.domain.scoring.display import score_text
from actors.domain.values import rfc3339
from serve_app.formats.write.rows import boards_of, has_subscore, pieces

# What Excel, LibreOffice and others begin to compute at, also as East Asian keyboards write it.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def guarded(text: str) -> str:
    """A text of others' as a cell: one that a spreadsheet might compute gets an apostrophe, which it takes for "this is text"."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def unguarded(text: str) -> str:
    """What `guarded` was given, of texts that do not themselves begin with an apostrophe before a formula."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULAS) else text


def lines(rows: Iterable[Iterable[str | int]]) -> bytes:
    """Rows as lines."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def write_csv(table: pa.Table) -> Iterator[bytes]:
    """rank, user_id, name, score, shown (the score as the tournament shows it, where it has a `display`), subscore where there is one,
    attempts, scored_at, and a column for each board."""
    subscored = has_subscore(table)
    display = told_of(table).get("display")
    boards = [guarded(f"board_{name}") for name in boards_of(table)]
    middle = [*(["shown"] if display else []), *(["subscore"] if subscored else [])]
    yield lines([["rank", "user_id", "name", "score", *middle, "attempts", "scored_at", *boards]])
    for rows in pieces(table):
        yield lines(
            [
                row.rank,
                row.user_id,
                guarded(row.name or ""),
                score_text(row.score),
                *([_shown(row.score, **display)] if display else []),
                *([] if row.subscore is None else [score_text(row.subscore)]),
                row.attempts,
                rfc3339(row.scored_ms),
                *(guarded(group or "") for group in row.groups),
            ]
            for row in rows
        )


def _shown(hundredths: int, unit: str, decimals: int) -> str:
    text = score_text(hundredths, unit, decimals)
    return guarded(text) if unit == "time" else text  # what else begins with a minus is a number
