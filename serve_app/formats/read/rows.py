"""What all readers give: rows with the place where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple


class FileRow(NamedTuple):
    """A row: where it stands, and its fields by the file's own names, as texts, numbers or as JSON has them.

    `line`: of texts the line where it begins, else the number of the row; the first is 1. `problem`: why it cannot be read, then it may have
    no fields. `left_out`: why it says no result although nothing is wrong with it, as of a runner who did not finish.
    """

    line: int
    fields: Mapping[str, Any]
    problem: str = ""
    left_out: str = ""


# Reads a file that can be read from its beginning again; nothing of it is kept. Raises ValueError where it is no such file at all, or breaks
# off, with the line; OSError.
Reader = Callable[[BinaryIO], Iterator[FileRow]]
