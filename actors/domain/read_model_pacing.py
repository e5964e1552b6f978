"""When read models are compared again while nobody answers for some of them, and which of these are asked for first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

RETRY_MIN_MS: Final = 100
RETRY_MAX_MS: Final = 500  # what is away may be back any moment, and read models must be right within 5 s of the fault


def retry_pause_ms(failures: int, draw: float) -> int:
    """The pause after so many attempts in a row that nobody answered: doubling up to RETRY_MAX_MS, and by `draw` (0 to 1) up to a third less,
    so that many owners do not come back at the same moment.
    """
    longest = min(RETRY_MIN_MS << min(failures, 10), RETRY_MAX_MS)
    return round(longest * (1 - draw / 3))


def spread(tournament_ids: Sequence[int], count: int) -> Sequence[int]:
    """At most `count` of them, from the whole length: so that each server that has some of them is asked."""
    return tournament_ids[:: -(-len(tournament_ids) // count)] if tournament_ids else tournament_ids
