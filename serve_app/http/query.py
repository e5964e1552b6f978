"""The query of a request's target, as both entrypoints read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from serve_app.http.problems import Problem, invalid

MAX_QUERY_FIELDS: Final = 20


def read_query(raw: bytes) -> dict[str, str]:
    """The fields by name. Raises Problem 400 for too many, 422 for one that comes twice: of two, programs on the way take different ones."""
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise Problem(400, "malformed", f"expected at most {MAX_QUERY_FIELDS} fields in the query") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise invalid(name[:40], "expected once in the query, got several")
        fields[name] = value
    return fields


def query_int(fields: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """An integer of the query. Raises Problem 422."""
    text = fields.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18) or not low <= int(text) <= high:
        raise invalid(name, f"expected an integer from {low} to {high}, got {text[:40]!r}")
    return int(text)
