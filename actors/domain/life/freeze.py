"""The frozen table: what the public is shown while the real one is hidden.

From `freeze_ms` before the end, by the log's clock, the table stands still until the tournament is shown as finished, or is revealed. Who leaves
or is disqualified goes from it at once; whoever joins is not in it. A later end does not thaw it.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from msgspec import UNSET
from numpy.typing import ArrayLike

from actors.domain.messages import Spec
from actors.domain.ranking.ranking import Ranking
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.tournament import Frozen, Members, Tournament

# Of its ranking's `renumbered`, from there downwards: keys of the real one mean nothing in it, and those of an earlier frozen one neither.
FROZEN: Final = -1


def freeze(state: Tournament) -> None:
    """The table stands still from now on."""
    ranking, members = state.ranking, state.members
    slots = ranking.ordered()
    hidden = np.fromiter(
        (not members.active[slot] or slot in members.disqualified for slot in slots.tolist()), np.bool_, len(slots)
    )
    subscores = ranking.subscores_of(slots) if isinstance(ranking, SubscoreRanking) else None
    table = restored(state.spec, slots, ranking.scores_of(slots), subscores, hidden, FROZEN - 1 - state.offset)
    state.frozen = Frozen(table, members.scored_ms[:], members.attempts[:])


def restored(
    spec: Spec, slots: ArrayLike, scores: ArrayLike, subscores: ArrayLike | None, hidden: ArrayLike, renumbered: int = 0
) -> Ranking:
    """A tournament's ranking of members in its order, as `Ranking.restore`; `subscores` where it has them."""
    descending = spec.order == "desc"
    if spec.subscore is UNSET or subscores is None:
        ranking = Ranking.restore(descending=descending, ties=spec.ties, slots=slots, scores=scores, hidden=hidden)
    else:
        ranking = SubscoreRanking.restore_pairs(
            descending=descending,
            ties=spec.ties,
            subscore_descending=spec.subscore.order == "desc",
            slots=slots,
            scores=scores,
            subscores=subscores,
            hidden=hidden,
        )
    ranking.renumbered = renumbered
    return ranking


def is_frozen(state: Tournament, status: str) -> bool:
    """Whether the public is shown the frozen table of a tournament that is shown in `status`: finished it is only once that is durable."""
    return state.frozen is not None and status != "finished"


def shown(state: Tournament, status: str) -> Tournament:
    """The tournament as the public is shown it: itself, or one with the frozen table in place of the real one. Only to be read."""
    if state.frozen is None or status == "finished":
        return state
    members = Members.__new__(Members)
    for name in Members.__slots__:
        setattr(members, name, getattr(state.members, name))
    members.scored_ms, members.attempts = state.frozen.scored_ms, state.frozen.attempts
    return dataclasses.replace(state, ranking=state.frozen.ranking, members=members)


def add_to_frozen(state: Tournament) -> None:
    """A member was added, who is not in the frozen table."""
    if state.frozen is not None:
        state.frozen.scored_ms.append(0)
        state.frozen.attempts.append(0)


def set_shown(state: Tournament, slot: int) -> None:
    """A member is in the tables, the frozen one as well, or (who left, or is disqualified) in none."""
    visible = state.members.active[slot] and slot not in state.members.disqualified
    for ranking in (state.ranking,) if state.frozen is None else (state.ranking, state.frozen.ranking):
        if visible:
            ranking.show(slot)
        else:
            ranking.hide(slot)
