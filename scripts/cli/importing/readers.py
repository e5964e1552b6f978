"""Files as rows: `read` is the one way in, so another format is another entry of READERS."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

DELIMITERS: Final = ",;\t|"
MAX_LINE_CHARS: Final = 1_000_000
SUFFIXES: Final = {".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}


class FileRow(NamedTuple):
    """A row: the line where it begins (the first is 1), and its fields by the file's own names, as texts or as JSON has them.

    `problem`: why it cannot be read; then it has no fields.
    """

    line: int
    fields: Mapping[str, Any]
    problem: str = ""


Reader = Callable[[Path], Iterator[FileRow]]


def format_of(path: Path) -> str:
    """The format by the file's name. Raises ValueError."""
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise ValueError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}, or --format") from None


def read(path: Path, format_name: str) -> Iterator[FileRow]:
    """The rows of a file, one after another: nothing of it is kept. Raises ValueError where it is no such file at all, OSError."""
    return READERS[format_name](path)


def lines_of(path: Path, format_name: str) -> int | None:
    """How many lines a file has; None for a format that has none."""
    if format_name not in ("csv", "ndjson"):
        return None
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _csv(path: Path) -> Iterator[FileRow]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(_lines(path, file), "")
        file.seek(0)
        delimiter = max(DELIMITERS, key=first.count)
        reader = csv.reader(_lines(path, file), delimiter=delimiter, strict=True)
        names = [name.strip() for name in _next(path, reader)]
        if len(set(names)) != len(names) or not all(names):
            raise ValueError(
                f"{path}: expected a first line with a different name for each column, got {', '.join(names)[:200]}"
            )
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
                yield FileRow(line, dict(zip(names, (value.strip() for value in values), strict=True)))


def _ndjson(path: Path) -> Iterator[FileRow]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(_lines(path, file), start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield FileRow(number, {}, f"no JSON: {error}")
                continue
            if isinstance(fields, dict):
                yield FileRow(number, fields)
            else:
                yield FileRow(number, {}, f"expected a JSON object, got {line.strip()[:40]}")


def _next(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        return next(reader)
    except StopIteration:
        raise ValueError(f"{path}: expected a first line with the columns' names, the file is empty") from None
    except csv.Error as error:
        raise ValueError(f"{path}: no CSV: {error}") from None


def _lines(path: Path, file: Any) -> Iterator[str]:
    """The lines of a text file. Raises ValueError for one that is no UTF-8, or without an end."""
    try:
        while line := file.readline(MAX_LINE_CHARS):
            if len(line) == MAX_LINE_CHARS:
                raise ValueError(f"{path}: expected lines of less than {MAX_LINE_CHARS} characters")
            yield line
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8: {error.reason}") from None


READERS: Final[Mapping[str, Reader]] = {"csv": _csv, "ndjson": _ndjson}
