"""Tables on a terminal; elsewhere a line for each row, for grep."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Titles and rows, as a table or as lines."""
    if sys.stdout.isatty():
        print_table(titles, rows)
        return
    for row in (titles, *rows):
        print("  ".join(row))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on the terminal; the first column is never broken, the others where they must be."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, title in enumerate(titles):
        table.add_column(title, overflow="fold", no_wrap=not number)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
