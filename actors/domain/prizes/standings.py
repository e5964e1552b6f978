"""The table that prizes are given by, of a tournament's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET

from actors.domain.prizes.allocation import Table
from actors.domain.prizes.rules import PrizeRule
from actors.domain.tournament import Tournament


class PrizeStandings(NamedTuple):
    """A tournament's prizes as of now: its rules, or those that were asked about, and the table to give them by, where that was asked for."""

    found: bool
    public: bool = True
    status: str = ""
    rules: tuple[PrizeRule, ...] = ()
    table: Table | None = None
    boards: tuple[str, ...] = ()


def prize_standings(
    state: Tournament, status: str, rules: tuple[PrizeRule, ...] | None, *, table: bool
) -> PrizeStandings:
    """Of a state that is shown with a status."""
    own = () if state.spec.prizes is UNSET else state.spec.prizes
    asked = own if rules is None else rules
    public = state.spec.visibility == "public"
    boards = () if state.spec.boards is UNSET else tuple(state.spec.boards)
    return PrizeStandings(True, public, status, asked, final_table(state, asked) if table else None, boards)


def final_table(state: Tournament, rules: Sequence[PrizeRule]) -> Table:
    """Those with a rank now, as listed, as far down as these rules ask."""
    ranking, members = state.ranking, state.members
    slots = ranking.slots(0, _length(state, rules))
    boards = {rule.board for rule in rules if rule.board is not UNSET}
    return Table(
        users=members.users.user_ids(slots).tolist(),
        ranks=ranking.ranks(slots).tolist(),
        scores=ranking.scores_of(slots).tolist(),
        dense=state.spec.ties == "dense",
        descending=state.spec.order == "desc",
        boards={board: [state.groups[board].of(slot) for slot in slots.tolist()] for board in boards},
    )


def _length(state: Tournament, rules: Sequence[PrizeRule]) -> int:
    """How many of the list the rules need: up to the last place that one names, with all who are tied there; or everyone."""
    ranked = len(state.ranking)
    if state.spec.ties == "dense" or any(rule.ranks is UNSET or rule.board is not UNSET for rule in rules):
        return ranked
    last = min(ranked, max((rule.ranks[-1] for rule in rules if rule.ranks is not UNSET), default=0))
    if not last:
        return 0
    ranking = state.ranking
    lowest = ranking.rank(int(ranking.slots(last - 1, 1)[0]))
    while last < ranked:
        more = ranking.ranks(ranking.slots(last, last))  # twice as many
        tied = int((more == lowest).sum())
        last += tied
        if tied < len(more):
            break
    return last
