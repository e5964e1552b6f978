"""Request headers as both entrypoints read them: what may come once must not come twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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
