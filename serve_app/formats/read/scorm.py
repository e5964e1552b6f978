"""Results of SCORM 1.2 and 2004: what a run-time keeps of an attempt (`cmi`), as JSON.

Each attempt is an object of objects (`{"cmi": {"core": ...}}`), an object by whole names (`{"cmi.core.score.raw": ...}`), or a list of
`name=value`, also within `runtimeData`; a line each, or an array of them, or one alone. What stands beside `cmi`, as a user's number, is a
column too.

A score counts whatever the status: contents that never set it leave `not attempted` beside a score. SCORM 1.2 has scores from 0 to 100,
2004 any number from min to max, and `scaled` from -1 to 1. As with xAPI the score is `raw`, without one `scaled` in per cent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, BinaryIO, Final

from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.text import json_lines

MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024  # of what is no line each
MAX_DEPTH: Final = 6
_VERSION: Final = {"cmi.core": "1.2", "cmi.score": "2004", "cmi.learner_id": "2004"}
_COLUMNS: Final = {
    "1.2": {
        "learner_id": ("cmi.core.student_id",),
        "learner_name": ("cmi.core.student_name",),
        "status": ("cmi.core.lesson_status",),
        "score_raw": ("cmi.core.score.raw",),
        "score_min": ("cmi.core.score.min",),
        "score_max": ("cmi.core.score.max",),
        "total_time": ("cmi.core.total_time", "cmi.core.session_time"),
    },
    "2004": {
        "learner_id": ("cmi.learner_id",),
        "learner_name": ("cmi.learner_name",),
        "status": ("cmi.completion_status",),
        "success": ("cmi.success_status",),
        "score_raw": ("cmi.score.raw",),
        "score_min": ("cmi.score.min",),
        "score_max": ("cmi.score.max",),
        "score_scaled": ("cmi.score.scaled",),
        "total_time": ("cmi.total_time", "cmi.session_time"),
    },
}


def is_scorm(value: Any) -> bool:
    """Whether this is an attempt, or begins an array of them."""
    if isinstance(value, list):
        return bool(value) and (is_scorm(value[0]) if not isinstance(value[0], str) else value[0].startswith("cmi."))
    if not isinstance(value, dict):
        return False
    return "runtimeData" in value or any(key == "cmi" or key.startswith("cmi.") for key in value)


def read_scorm(file: BinaryIO) -> Iterator[FileRow]:
    """A row an attempt: `version`, `learner_id`, `learner_name`, `score`, `score_raw`, `score_min`, `score_max`, `score_scaled`, `status`,
    `total_time`, and what stands beside `cmi`. `line` is the line, of an array the number of the attempt."""
    for line, value, problem in _attempts(file):
        yield FileRow(line, {}, problem) if problem else _row(line, value)


def _attempts(file: BinaryIO) -> Iterator[tuple[int, Any, str]]:
    first = next(json_lines(file), None)
    if first is None:
        raise ValueError("expected attempts, the file is empty")
    if not first[2] and not (isinstance(first[1], list) and not all(isinstance(each, str) for each in first[1])):
        yield from json_lines(file)
        return
    file.seek(0)
    document = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"expected an attempt a line in a file of more than {MAX_DOCUMENT_BYTES} bytes")
    try:
        whole = json.loads(document.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8: {error.reason}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    attempts = whole if isinstance(whole, list) and not all(isinstance(each, str) for each in whole) else [whole]
    for number, attempt in enumerate(attempts, start=1):
        yield number, attempt, ""


def _row(line: int, attempt: Any) -> FileRow:
    said, beside = _flat(attempt)
    version = next((number for start, number in _VERSION.items() if any(name.startswith(start) for name in said)), None)
    if version is None:
        return FileRow(line, beside, "expected cmi.core of SCORM 1.2, or cmi.score of SCORM 2004")
    fields: dict[str, Any] = {**beside, "version": version}
    for column, names in _COLUMNS[version].items():
        fields[column] = next((said[name] for name in names if said.get(name, "") != ""), "")
    try:
        fields["score"] = _score(version, fields)
    except ValueError as error:
        return FileRow(line, fields, str(error))
    return FileRow(line, fields, left_out="" if fields["score"] != "" else "no score")


def _flat(attempt: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """What a run-time says by whole names, and what stands beside."""
    if isinstance(attempt, list):
        pairs = (each.partition("=") for each in attempt if isinstance(each, str))
        return {name: value for name, _, value in pairs if name.startswith("cmi.")}, {}
    said: dict[str, str] = {}
    beside: dict[str, Any] = {}
    if not isinstance(attempt, dict):
        return said, beside
    for name, value in attempt.items():
        if name == "runtimeData":
            inner, _ = _flat(value)
            said |= inner
        elif name == "cmi" or name.startswith("cmi."):
            _flatten(said, name, value, 0)
        elif not isinstance(value, dict | list):
            beside[name] = value
    return said, beside


def _flatten(said: dict[str, str], name: str, value: Any, depth: int) -> None:
    if isinstance(value, Mapping):
        if depth < MAX_DEPTH:
            for inner, each in value.items():
                _flatten(said, f"{name}.{inner}", each, depth + 1)
    elif not isinstance(value, list) and value is not None:
        said[name] = str(value).strip()


def _score(version: str, fields: Mapping[str, Any]) -> Decimal | str:
    """Empty if there is none. Raises ValueError for what the standard does not allow."""
    number = {
        name: _number(name, fields.get(name, "")) for name in ("score_raw", "score_min", "score_max", "score_scaled")
    }
    raw, least, most, scaled = number.values()
    if version == "1.2":
        for name, each in number.items():
            if each is not None and not 0 <= each <= 100:
                raise ValueError(f"{name}: expected a number from 0 to 100 in SCORM 1.2, got {each}")
    if scaled is not None and not -1 <= scaled <= 1:
        raise ValueError(f"score_scaled: expected a number from -1 to 1, got {scaled}")
    if raw is not None and least is not None and raw < least:
        raise ValueError(f"score_raw: expected at least score_min, {least}, got {raw}")
    if raw is not None and most is not None and raw > most:
        raise ValueError(f"score_raw: expected at most score_max, {most}, got {raw}")
    if raw is not None:
        return raw
    return "" if scaled is None else (scaled * 100).quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _number(name: str, text: Any) -> Decimal | None:
    if text == "":
        return None
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise ValueError(f"{name}: expected a number, got {str(text)[:40]}")
    return number
