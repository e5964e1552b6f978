"""Request headers as both entrypoints read them: what may come once must not come twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from serve_app.http.problems import Problem

# Two of these would be taken differently by different programs on the way: one checks the first, the next acts on the last.
ONLY_ONCE: Final = frozenset(
    (
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"if-match",
    )
)
_WAIT: Final = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,6}(?:\.\d{1,6})?)"?\s*(?:[,;]|$)', re.IGNORECASE)


def combined(raw: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; names come in lower case. Lists that came in several lines are joined (RFC 9110 section 5.3).

    Raises Problem 400 for several lines of a header that may come once.
    """
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        add_header(headers, name, value)
    return headers


def add_header(headers: dict[bytes, bytes], name: bytes, value: bytes) -> None:
    """One more line for `combined`."""
    if name not in headers:
        headers[name] = value
    elif name in ONLY_ONCE:
        raise Problem(400, "malformed", f"expected one {name.decode('latin-1')} header, got several")
    else:
        headers[name] += b", " + value


def preferred_wait_s(headers: Mapping[str, str], default_s: float, max_s: float) -> float:
    """`Prefer: wait=N` (RFC 7240) up to `max_s`, else the default; a preference that cannot be read is none."""
    prefer = headers.get("prefer")
    matched = _WAIT.search(prefer) if prefer else None
    return default_s if matched is None else min(float(matched[1]), max_s)


def attachment(file_name: str) -> str:
    """`Content-Disposition` of a file to be kept under a name (RFC 6266): plain for old clients, and whole."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "-._") else "-" for char in file_name)
    whole = "" if plain == file_name else f"; filename*=UTF-8''{quote(file_name, safe='-._')}"
    return f'attachment; filename="{plain}"{whole}'
