"""Who may keep an answer: the one place that decides. What is the same for whoever asks is public and has an ETag; everything else is nobody's
to keep.

An answer depends on its caller when it is about a private tournament, or when `me` stood for them (`Request.personal`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from serve_app.http.messages import Request, Response
from storage.ports import Reply

NO_STORE: Final = {"cache-control": "no-store"}  # outcomes of writes, what a path offers, health
PERSONAL: Final = {
    "cache-control": "private, no-store",
    "vary": "authorization",
}  # reads that depend on who asks, and errors


def reply_response(request: Request, reply: Reply, *, max_age_s: int = 0) -> Response:
    """An encoded reply as the answer to a read: of a public one with ETag and age, 304 when the client has it."""
    if request.personal or not reply.public:
        return Response(200, reply.body, dict(PERSONAL))
    headers = {"cache-control": f"public, max-age={max_age_s}" if max_age_s else "no-cache"}
    if reply.age_s >= 1:
        headers["age"] = str(int(reply.age_s))
    if reply.etag:
        headers["etag"] = reply.etag
        wanted = request.headers.get("if-none-match")
        if wanted is not None and etag_matches(wanted, reply.etag):
            return Response(304, b"", headers)
    return Response(200, reply.body, headers)


def file_headers(request: Request, reply: Reply) -> dict[str, str]:
    """The headers of a file that is made of a reply: one that changes with the time, too, and is asked for anew each time."""
    return dict(PERSONAL) if request.personal or not reply.public else {"cache-control": "no-cache"}


def is_public(headers: Mapping[str, str]) -> bool:
    """Whether an answer with these headers is the same for whoever asks."""
    return "no-store" not in headers.get("cache-control", "no-store")


def etag_matches(wanted: str, etag: str) -> bool:
    """Whether an `If-None-Match` names this tag: weak comparison (RFC 9110 section 13.1.2)."""
    if wanted.strip() == "*":
        return True
    return any(tag.strip().removeprefix("W/") == etag for tag in wanted.split(","))
