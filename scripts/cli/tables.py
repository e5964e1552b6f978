"""Tables on a terminal; elsewhere a line for each row, for grep. And how values are written in them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.domain.scoring import display

LONGEST: Final = 200  # characters of a value in a table; JSON has all


def print_rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Titles and rows, as a table or as lines."""
    if sys.stdout.isatty():
        print_table(titles, rows)
        return
    for row in (titles, *rows):
        print("  ".join(row))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on the terminal."""
    Console().print(made_table(titles, rows))


def made_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table; the first column is never broken, the others where they must be."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, title in enumerate(titles):
        table.add_column(title, overflow="fold", no_wrap=not number)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def cell(value: Any) -> str:
    """One line for a table. What is not printable is escaped: names and records are others' texts, and a terminal obeys some of them."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return time_text(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else str(value)
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


def time_text(moment: datetime) -> str:
    """A time as the API writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def score_text(score: float | None, unit: str = "points", decimals: int = 2) -> str:
    """A score in its tournament's unit: times are seconds, `1:02:09.5`. What has more decimals than are shown is rounded."""
    if score is None:
        return "-"
    return display.score_text(round(score * 100), unit, decimals, thousands=",")
