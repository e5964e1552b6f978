"""Log lines that any client can cause: a few of each kind a minute, short ones, and the rest counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from serve_app.metrics import LOG_LINES_DROPPED

LINES: Final = 5
PERIOD_S: Final = 60.0
MAX_CHARS: Final = 300


class LogLimit(logging.Filter):
    """Lets LINES lines pass from each place in the code in PERIOD_S. What they say of an exception is one line, never a traceback."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._kinds: dict[tuple[str, int], tuple[float, int]] = {}  # by place: since when, how many

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is logged."""
        kind, now_s = (record.pathname, record.lineno), self._clock_s()
        since_s, seen = self._kinds.get(kind, (now_s, 0))
        left_out = 0
        if now_s - since_s >= PERIOD_S:
            left_out = max(0, seen - LINES)
            since_s, seen = now_s, 0
        self._kinds[kind] = (since_s, seen + 1)
        if seen >= LINES:
            LOG_LINES_DROPPED.inc()
            return False
        text = " ".join(record.getMessage().split())
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = f"{text}: {error!r}"
        record.msg, record.args = text[:MAX_CHARS], ()
        record.exc_info = record.exc_text = None
        if left_out:
            record.msg += f" ({left_out} more like this were left out)"
        return True


_limit: Final = LogLimit()


def limit_server_logs() -> None:
    """Apply it to the loggers of the libraries that read what clients send."""
    for name in ("uvicorn.error", "websockets.server"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)  # below it they tell of every connection
        logger.addFilter(_limit)
