"""Promotion and demotion: what the final tables of a league's tiers mean for its players."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.messages.spec import League


def moves_of(tables: Sequence[Sequence[int]], league: League) -> list[tuple[str, int]]:
    """The new tiers of those who move, by user id, from the tables of tier 1, 2, ..., each best first.

    The first `promote` of a table rise, the last `demote` of the others fall; of equal scores whoever reached it first stands before. Nobody
    rises from the first tier or falls from the last. Whoever has no score is not in a table, and stays.
    """
    moves = []
    for tier, table in enumerate(tables, start=1):
        up = list(table[: league.promote]) if tier > 1 else []
        rest = table[len(up) :]
        down = list(rest[max(0, len(rest) - league.demote) :]) if tier < league.tiers and league.demote else []
        moves += [(str(user), tier - 1) for user in up] + [(str(user), tier + 1) for user in down]
    return moves
