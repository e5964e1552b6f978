"""When a series' tournaments start: a cron expression in a time zone, by cronsim's rules, which are Debian cron's.

Of an expression with a fixed minute and hour: what falls into the hour that spring skips is due once, at the first moment after it; what falls
into the hour that autumn has twice is due once, in the first of the two. Whatever begins with `*` goes by the time that passes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cronsim import CronSim, CronSimError

from actors.domain.series.zones import zone

CRON_FIELDS: Final = 5
MAX_CRON_CHARS: Final = 100
_PROBE_MS: Final = 1_767_225_600_000  # 2026-01-01: from here an expression has to have a time within cronsim's 50 years


def next_times(cron: str, time_zone: str, after_ms: int, count: int) -> list[int]:
    """The next `count` times (ms since 1970) strictly after a moment; fewer where there are none within 50 years.

    Whoever asks on from any of them gets the rest: the times depend on nothing but the arguments. Raises ValueError for an expression
    that is none, as `cron_problem` tells, and for an unknown zone.
    """
    start = datetime.fromtimestamp(after_ms // 1000, tz=zone(time_zone))
    times: list[int] = []
    try:
        for due in CronSim(cron, start):
            due_ms = int(due.astimezone(UTC).timestamp()) * 1000
            # from within the second pass of a doubled hour cronsim counts the first pass too, and of several times in a gap each is
            # due at its end
            if due_ms > (times[-1] if times else after_ms):
                times.append(due_ms)
            if len(times) >= count:
                break
    except (CronSimError, OverflowError) as error:
        raise ValueError(f"expected a cron expression, got {cron[:MAX_CRON_CHARS]!r}: {error}") from error
    return times


def cron_problem(cron: str) -> str:
    """What keeps an expression from being one of five fields (minute, hour, day of month, month, day of week) that is ever due; empty if
    nothing does."""
    if len(cron) > MAX_CRON_CHARS:
        return f"expected at most {MAX_CRON_CHARS} characters, got {len(cron)}"
    if len(cron.split()) != CRON_FIELDS:
        return f"expected five fields (minute, hour, day of month, month, day of week), got {len(cron.split())}"
    try:
        return "" if next_times(cron, "UTC", _PROBE_MS, 1) else "expected a time that comes within 50 years"
    except ValueError as error:
        return str(error)
