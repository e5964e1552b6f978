"""The bounds of HTTP connections, the same at both entrypoints, and what their clients are told beyond them."""

from __future__ import annotations

import logging
import resource
from typing import Final

from serve_app.http.problems import Problem

MAX_HEAD_BYTES: Final = 32 * 1024  # request line and headers; a token is at most 4 KiB
MAX_HEADERS: Final = 100  # small ones cost far more memory than their bytes
MAX_QUEUED: Final = 32  # requests of a connection that wait behind the one being answered
KEEP_ALIVE_S: Final = 75  # longer than load balancers keep a connection unused, usually 60
EXPIRE_INTERVAL_S: Final = 2.0
# An ended connection is closed after a silence as long, or after so many more bytes: a reset would overtake the answer.
LINGER_S: Final = 2.0
MAX_DROPPED_BYTES: Final = 64 * 1024 * 1024
SPARE_FILES: Final = 500

logger = logging.getLogger(__name__)


def head_too_large() -> Problem:
    """431, for a head beyond its bounds."""
    detail = f"expected at most {MAX_HEAD_BYTES} bytes of request line and headers, and {MAX_HEADERS} headers"
    return Problem(431, "too_large", detail)


def no_http() -> Problem:
    """400, for bytes that are no request."""
    return Problem(400, "malformed", "expected an HTTP/1.1 request")


def not_whole_in_time(limit_s: float) -> Problem:
    """408, for a request that does not arrive."""
    return Problem(408, "request_timeout", f"expected the whole request within {limit_s:g} s")


def too_many_wait() -> Problem:
    """429, for more pipelined requests than may wait."""
    detail = f"expected at most {MAX_QUEUED} requests that wait on a connection"
    return Problem(429, "rate_limited", detail, headers={"retry-after": "1"})


def allow_connections(count: int) -> None:
    """Raise this process's soft limit of open files as far as needed and allowed."""
    wanted = count + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < wanted:
            logger.warning("only %d files may be open: fewer connections than the %d configured", allowed, wanted)
