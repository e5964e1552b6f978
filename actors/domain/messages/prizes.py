"""Records about prizes. All since rules 3."""

from __future__ import annotations

from actors.domain.messages.fields import Command


class ApprovePrizes(Command, frozen=True, kw_only=True, tag="approve_prizes"):
    """Prizes are approved, so the result stands: from now on the tournament is not opened again."""

    rules = 3
    after_end = True
