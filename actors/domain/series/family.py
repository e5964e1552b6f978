"""What a tournament that opens others keeps of them: a series of its occurrences, cohorts of their boards, a league of its tiers.

Such a tournament, the parent, decides in its own partition, in the log's order; what it decides of the others, its children, is an errand: its
owner writes it into the partitions of the children, in order, and tells the parent that it is written. Whoever does it again writes the same.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

MAX_OCCURRENCES: Final = 100  # that a series lists; older ones are tournaments of their own right all the same
MAX_OPEN: Final = 20  # tournaments of a series that are open ahead of time


class Errand(msgspec.Struct, array_like=True, frozen=True):
    """What is to be written: `open` a child, have a user `join` it or `leave` it. The child is the board of number `place`, or the occurrence
    that starts at `place` (ms since 1970), of `tier` in a league (else 0)."""

    kind: Literal["open", "join", "leave"]
    place: int
    tier: int = 0
    user_id: int = 0


class Family(msgspec.Struct, kw_only=True):
    """See the module. `written` errands went before the first of `errands`. Of a series: `occurrences` by their starts (ms since 1970), the
    newest MAX_OCCURRENCES of them; `missed`, how many were over before they could be opened; `decided_ms`, the start of the last one whose
    final tables have moved a league's players. Of cohorts: `seats` that were given."""

    occurrences: list[int] = []
    missed: int = 0
    decided_ms: int = 0
    seats: int = 0
    written: int = 0
    errands: list[Errand] = []
