"""The score log's clock against the wall clock.

Tournaments start and end by the log's clock, which never goes back: once ahead, it stays where it was until the wall clock is there too, and
whatever is due until then happens at once. So that no new tournament ends at its creation without a word, creates are refused while the
log is too far ahead; a warning and a metric tell of less.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from serve_app.http.problems import Problem, unavailable
from serve_app.metrics import CLOCK_AHEAD_SECONDS
from storage.ports import ScoreLog

WARN_BEYOND_MS: Final = 1_000  # clocks of several machines are never quite the same
MAX_RETRY_AFTER_S: Final = 3_600.0  # the clock may be mended meanwhile

logger = logging.getLogger(__name__)


class LogClock:
    """`max_ahead_ms`: beyond it creates are refused. `ahead_ms` is what `check` found last."""

    def __init__(self, log: ScoreLog, clock_ms: Callable[[], int], max_ahead_ms: int) -> None:
        self._log = log
        self._clock_ms = clock_ms
        self._max_ahead_ms = max_ahead_ms
        self.ahead_ms = 0

    async def refusal(self, partition: int) -> Problem | None:
        """503 `clock_ahead` while a partition's clock is beyond the bound, else None. Raises what the log raises."""
        now_ms = self._clock_ms()
        stamp_ms = (await self._log.stamped_after(now_ms + self._max_ahead_ms)).get(partition)
        if stamp_ms is None:
            return None
        ahead_ms = stamp_ms - now_ms
        detail = f"the log's clock is {ahead_ms / 1000:.0f} s ahead: a tournament would start and end too early by that"
        return unavailable("clock_ahead", detail, min((ahead_ms - self._max_ahead_ms) / 1000, MAX_RETRY_AFTER_S))

    async def check(self) -> None:
        """Check once, measure, and warn when it begins or gets worse."""
        now_ms = self._clock_ms()
        try:
            ahead_ms = max((await self._log.stamped_after(now_ms)).values(), default=now_ms) - now_ms
        except Exception as error:  # whatever it is, the next check is near, and this must not end
            logger.warning("the log does not tell its clock: %s", error)
            return
        CLOCK_AHEAD_SECONDS.set(ahead_ms / 1000)
        warned, was = self.ahead_ms > WARN_BEYOND_MS, self.ahead_ms
        if ahead_ms > WARN_BEYOND_MS and (not warned or ahead_ms > was + WARN_BEYOND_MS):
            refused = "; creates are refused" if ahead_ms > self._max_ahead_ms else ""
            logger.critical(
                "the log's clock is %.1f s ahead of this machine's: tournaments start and end too early%s",
                ahead_ms / 1000,
                refused,
            )
        elif warned and ahead_ms <= WARN_BEYOND_MS:
            logger.warning("the log's clock is right again")
        self.ahead_ms = ahead_ms
