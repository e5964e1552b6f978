"""When another try is due: of a notice that one receiver did not take, and of a channel whose server does not answer."""

from __future__ import annotations

from typing import Final

FACTOR: Final = 3
LONGEST_MS: Final = 4 * 3600_000
MAX_ATTEMPTS: Final = 12  # beginning with 10 s: over a day
CHANNEL_FIRST_MS: Final = 1000
CHANNEL_LONGEST_MS: Final = 60_000


def retry_pause_ms(attempts: int, first_ms: int) -> int | None:
    """How long after the `attempts`-th failed try the next one is due: `first_ms`, three times as long each time; None: no more."""
    if attempts >= MAX_ATTEMPTS:
        return None
    return min(LONGEST_MS, first_ms * int(FACTOR ** (attempts - 1)))


def channel_pause_ms(failures: int) -> int:
    """How long a channel is left alone after it has failed so many times running."""
    return min(CHANNEL_LONGEST_MS, CHANNEL_FIRST_MS << min(failures - 1, 10))
