"""Ends before time: everyone is done, or so many have reached a score. Judged after each record that may bring it about."""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.messages import EndsWhen
from actors.domain.tournament import Tournament


def end_reason(state: Tournament) -> str:
    """Why a running tournament has come to its end before time; empty if it has not."""
    wanted = state.spec.ends_when
    if wanted is UNSET or state.status != "running":
        return ""
    if wanted.all_done:
        return "all_done" if state.members.joined and not state.members.undone else ""
    return "target_reached" if _reached(state, wanted) else ""


def _reached(state: Tournament, wanted: EndsWhen) -> bool:
    """Whether the last of the `count` best has the score: then all of them do."""
    assert wanted.target_score is not None, "the spec's rules demand it where all_done is not asked for"
    last = state.ranking.slots(wanted.count - 1, 1)
    if not len(last):
        return False
    score = int(state.ranking.scores_of(last)[0])
    return score >= wanted.target_score if state.spec.order == "desc" else score <= wanted.target_score
