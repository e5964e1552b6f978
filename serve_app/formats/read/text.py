"""CSV with a first line of names, and NDJSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, TextIO

from serve_app.formats.read.rows import FileRow
from serve_app.formats.write.csv_text import unguarded

DELIMITERS: Final = ",;\t|"
MAX_LINE_CHARS: Final = 1_000_000
MAX_COLUMNS: Final = 2000
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def read_csv(file: BinaryIO) -> Iterator[FileRow]:
    """Comma, semicolon, tab or `|`: whichever the first line has most of. A byte order mark is no part of the first name, and the
    apostrophe before what a spreadsheet would compute (`=1+1`) no part of a value."""
    text = _opened(file)
    first = next(_lines(text), "")
    text.seek(0)
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    names = _names(reader)
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield FileRow(line, {}, f"no CSV: {error}")
            continue
        if values is None:
            return
        if not values:
            continue  # a blank line
        if len(values) != len(names):
            yield FileRow(line, {}, f"expected {len(names)} columns, got {len(values)}")
        else:
            yield FileRow(line, dict(zip(names, (unguarded(value.strip()) for value in values), strict=True)))


def read_ndjson(file: BinaryIO) -> Iterator[FileRow]:
    """A JSON object a line."""
    for line, value, problem in json_lines(file):
        if problem:
            yield FileRow(line, {}, problem)
        elif isinstance(value, dict):
            yield FileRow(line, value)
        else:
            yield FileRow(line, {}, f"expected a JSON object, got {json.dumps(value)[:40]}")


def json_lines(file: BinaryIO) -> Iterator[tuple[int, Any, str]]:
    """(line, value, why it is none) of each line that is not blank. Raises ValueError as readers do."""
    for number, line in enumerate(_lines(_opened(file)), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line), ""
        except (ValueError, RecursionError) as error:
            yield number, None, f"no JSON: {error}"


def _opened(file: BinaryIO) -> TextIO:
    file.seek(0)
    if file.read(2) in _UTF_16:
        raise ValueError("expected UTF-8, got UTF-16: spreadsheets write UTF-8 as `CSV UTF-8`")
    file.seek(0)
    return io.TextIOWrapper(_Kept(file), encoding="utf-8-sig", newline="")  # type: ignore[type-var]


class _Kept(io.RawIOBase):
    """A file that is not closed with what reads it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _names(reader: Iterator[list[str]]) -> list[str]:
    try:
        names = [unguarded(name.strip()) for name in next(reader)]
    except StopIteration:
        raise ValueError("expected a first line with the columns' names, the file is empty") from None
    except csv.Error as error:
        raise ValueError(f"line 1: no CSV: {error}") from None
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"expected at most {MAX_COLUMNS} columns, got {len(names)}")
    if len(set(names)) != len(names) or not all(names):
        shown = ", ".join(names)[:200]
        raise ValueError(f"expected a first line with a different name for each column, got {shown}")
    return names


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a text file. Raises ValueError for one that is no UTF-8, is no text, or has a line without an end."""
    number = 1
    try:
        while line := file.readline(MAX_LINE_CHARS):
            if len(line) == MAX_LINE_CHARS:
                raise ValueError(f"line {number}: expected lines of less than {MAX_LINE_CHARS} characters")
            if "\0" in line:
                raise ValueError(f"line {number}: expected text, got a NUL")
            yield line
            number += 1
    except UnicodeDecodeError as error:
        raise ValueError(f"line {number} or after it: expected UTF-8: {error.reason}") from None
