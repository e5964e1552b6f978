"""The table that prizes are given by, of a tournament's state."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from actors.domain.prizes.allocation import Table
from actors.domain.prizes.rules import PrizeRule
from actors.domain.tournament import Tournament


def final_table(state: Tournament, rules: Sequence[PrizeRule]) -> Table:
    """Everyone with a rank now, as listed; with the groups of the boards that the rules name."""
    ranking, members = state.ranking, state.members
    slots = ranking.slots(0, len(ranking))
    boards = {rule.board for rule in rules if rule.board is not UNSET}
    return Table(
        users=members.users.user_ids(slots).tolist(),
        ranks=ranking.ranks(slots).tolist(),
        scores=ranking.scores_of(slots).tolist(),
        dense=state.spec.ties == "dense",
        descending=state.spec.order == "desc",
        boards={},
    )
