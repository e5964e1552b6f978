"""What a score comes to under a tournament's rules. Without time: the fold moves that on first."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import UNSET

from actors.domain.delivery import ScoreItem
from actors.domain.life.windows import window_reason
from actors.domain.messages import Spec
from actors.domain.tournament import Tournament
from actors.domain.values import MAX_HUNDREDTHS


class Scored(NamedTuple):
    """What became of a score: the reason why it does not count (empty if it does), and whether it changed the member's score.

    `rank_before`: the member's rank before such a change, None without one.
    """

    reason: str
    changed: bool = False
    rank_before: int | None = None


def take_score(state: Tournament, item: ScoreItem, slot: int, known_rank: int | None) -> Scored:
    """Apply one score if it counts; only such a one consumes its event id and an attempt.

    `slot` and `known_rank` as in `actors.domain.fold.apply_score`.
    """
    if state.status != "running":
        return Scored("not_running" if state.status == "scheduled" else "ended")
    if slot < 0:
        return Scored("not_joined")
    if state.family is not None:
        return Scored("not_scored")  # its boards are
    spec, members, ranking = state.spec, state.members, state.ranking
    if spec.window_ms is not UNSET and (reason := window_reason(state, slot, spec.window_ms)):
        return Scored(reason)
    old = ranking.score(slot)
    new = _new_score(spec, old, item.score)
    digest = state.digest(b"e", item.user_id, item.event_id)
    if digest in state.seen:
        return Scored("duplicate")
    if members.attempts[slot] >= spec.max_attempts:
        return Scored("attempts_used")
    if not -MAX_HUNDREDTHS <= new <= MAX_HUNDREDTHS:
        return Scored("out_of_range")
    state.seen.add(digest)
    members.attempts[slot] += 1
    if new == old:
        return Scored("")
    rank = ranking.rank(slot) if known_rank is None else (known_rank or None)
    ranking.place(slot, new)
    members.scored_ms[slot] = state.time_ms
    return Scored("", True, rank)


def _new_score(spec: Spec, old: int | None, score: int) -> int:
    """The score policy: what the score is after one more submission."""
    if old is None or spec.score_policy == "last":
        return score
    if spec.score_policy == "sum":
        return old + score
    if spec.score_policy == "first":
        return old
    return max(old, score) if spec.order == "desc" else min(old, score)
