"""What the club evening must come to: points for a time, and shares of a purse, by the shortest code that can be checked by eye.

It shares nothing with Palio.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any, Final

from scripts.demo.data import Row

FULL_S: Final = 3600  # an hour for ten miles
NONE_S: Final = 9000
POINTS: Final[dict[str, Any]] = {"kind": "speed", "points": 1000, "least": 0, "from_s": FULL_S, "to_s": NONE_S}


def points(net: int) -> int:
    """1000 points up to FULL_S, none from NONE_S on, evenly falling between; of hundredths of a second, in hundredths of a point."""
    exact = Fraction(1000 * 100 * (NONE_S * 100 - net), (NONE_S - FULL_S) * 100)
    return max(0, min(100_000, int(exact + Fraction(1, 2))))  # positive, so this rounds halves away from zero


def cents_of_places(rows: Sequence[Row], places: int, cents: int) -> dict[int, int]:
    """What each user gets of a purse of `cents` for each of the first `places`: those who tie share, the first listed get what is left."""
    shares: dict[int, int] = {}
    before = 0  # places
    for _, tied in groupby(rows, key=lambda row: row.rank):
        users = [row.user_id for row in tied]
        purse = cents * max(0, min(places - before, len(users)))
        for place, user in enumerate(users):
            share = purse // len(users) + (place < purse % len(users))
            if share:
                shares[user] = share
        before += len(users)
    return shares
