"""The formats that results are read from, and which of them a file is: told by what it holds, not by its name."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, NamedTuple

from serve_app.formats.read.gradebooks import gradebook_of, read_canvas, read_moodle
from serve_app.formats.read.iof import read_iof
from serve_app.formats.read.parquet import parquet_rows, read_parquet
from serve_app.formats.read.rows import FileRow, Reader
from serve_app.formats.read.scorm import is_scorm, read_scorm
from serve_app.formats.read.text import read_csv, read_ndjson

LOOKED_AT_BYTES: Final = 64 * 1024


class Format(NamedTuple):
    """A format: `read` it; `where` a row stands, as it is told; `blanks`: a row without a score is no mistake."""

    read: Reader
    where: str = "line"
    blanks: bool = False


READERS: Final[Mapping[str, Format]] = {
    "csv": Format(read_csv),
    "ndjson": Format(read_ndjson),
    "parquet": Format(read_parquet, "row"),
    "moodle": Format(read_moodle, blanks=True),
    "canvas": Format(read_canvas, blanks=True),
    "iof": Format(read_iof, "result", blanks=True),
    "scorm": Format(read_scorm, "attempt", blanks=True),
}
# What is none of them, and begins as this.
_OTHERS: Final = {
    b"PK\x03\x04": "a spreadsheet (xlsx, ods) or a zip archive: save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (xls): save the sheet as CSV",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file: unpack it",
    b"SQLite format 3": "an SQLite database",
}


def format_of(file: BinaryIO) -> str:
    """The name of a file's format. Raises ValueError for what is none."""
    file.seek(0)
    head = file.read(LOOKED_AT_BYTES)
    for start, what in _OTHERS.items():
        if head.startswith(start):
            raise ValueError(f"expected CSV, NDJSON, Parquet, IOF XML or SCORM's JSON, got {what}")
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "iof"
    if text.startswith((b"{", b"[")):
        return "scorm" if _holds_scorm(text) else "ndjson"
    columns = next((row.fields for row in _of_head(head) if not row.problem), {})
    return gradebook_of(columns) or "csv"


def count_of(file: BinaryIO, format_name: str) -> int | None:
    """How many rows a file says that it has, without reading them; None where it does not say."""
    return parquet_rows(file) if format_name == "parquet" else None


def _holds_scorm(text: bytes) -> bool:
    line = text.partition(b"\n")[0]
    try:
        return is_scorm(json.loads(line))
    except (ValueError, RecursionError):  # over several lines, or longer than what was looked at
        return b'"cmi' in text or b'"runtimeData"' in text


def _of_head(head: bytes) -> Iterator[FileRow]:
    try:
        yield from read_csv(io.BytesIO(head))
    except ValueError:  # told when it is read
        return
