"""The table that prizes are given by, of a tournament's state."""

from __future__ import annotations

from actors.domain.prizes.allocation import Table
from actors.domain.tournament import Tournament


def final_table(state: Tournament) -> Table:
    """Everyone with a rank now, as listed."""
    ranking, members = state.ranking, state.members
    slots = ranking.slots(0, len(ranking))
    return Table(
        users=members.users.user_ids(slots).tolist(),
        ranks=ranking.ranks(slots).tolist(),
        scores=ranking.scores_of(slots).tolist(),
        dense=state.spec.ties == "dense",
        descending=state.spec.order == "desc",
    )
