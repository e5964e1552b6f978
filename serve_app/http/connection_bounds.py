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


class SlowClient:
    """Of one connection: since when its client has read nothing of what waits for it, and what it still sends once the connection has ended."""

    __slots__ = ("_dropped_bytes", "_heard_at_s", "_unsent_bytes", "_unsent_since_s", "ended_since_s")

    def __init__(self) -> None:
        self.ended_since_s = 0.0  # 0: it has not
        self._heard_at_s = 0.0
        self._dropped_bytes = 0
        self._unsent_bytes = 0
        self._unsent_since_s = 0.0

    def end(self, now_s: float) -> None:
        """The connection has ended: it stays a while, so that the last answer arrives."""
        self.ended_since_s = self._heard_at_s = now_s

    def drop(self, count: int, now_s: float) -> bool:
        """Note bytes that came after the end; whether they are too many."""
        self._heard_at_s = now_s
        self._dropped_bytes += count
        return self._dropped_bytes > MAX_DROPPED_BYTES

    def has_read(self) -> None:
        """The client has read of what waits for it."""
        self._unsent_bytes = 0

    def is_overdue(self, unsent_bytes: int, now_s: float, limit_s: float) -> bool:
        """Whether it takes too long; to be asked every few seconds, with what waits to be sent."""
        if not self._unsent_bytes or unsent_bytes < self._unsent_bytes:
            self._unsent_since_s = now_s
        self._unsent_bytes = unsent_bytes
        if unsent_bytes and now_s - self._unsent_since_s > limit_s:
            return True
        if not self.ended_since_s:
            return False
        silent = not unsent_bytes and now_s - self._heard_at_s > LINGER_S
        return silent or now_s - self.ended_since_s > max(limit_s, LINGER_S)


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
