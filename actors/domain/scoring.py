"""One score of one tournament: what it comes to under the tournament's rules, and applying it. Without time: the fold moves that on first."""

from __future__ import annotations

from typing import NamedTuple

from actors.domain.delivery import ScoreItem
from actors.domain.messages import Spec
from actors.domain.tournament import Tournament
from actors.domain.values import MAX_HUNDREDTHS


class Verdict(NamedTuple):
    """What a score comes to: the reason why it does not count (empty if it does), and what it then changes.

    `score` is the member's after it, in hundredths; `digest` that of its event id.
    """

    reason: str
    score: int = 0
    changed: bool = False
    digest: int = 0


def judge_score(state: Tournament, item: ScoreItem, slot: int) -> Verdict:
    """What one score comes to, once time is at its record; changes nothing.

    `slot` is that of its user among those who take part (`Members.slot`), -1 for none.
    """
    if state.status != "running":
        return Verdict("not_running" if state.status == "scheduled" else "ended")
    if slot < 0:
        return Verdict("not_joined")
    spec = state.spec
    old = state.ranking.score(slot)
    new = _new_score(spec, old, item.score)
    digest = state.digest(b"e", item.user_id, item.event_id)
    reason = ""
    if digest in state.seen:
        reason = "duplicate"
    elif state.members.attempts[slot] >= spec.max_attempts:
        reason = "attempts_used"
    elif not -MAX_HUNDREDTHS <= new <= MAX_HUNDREDTHS:
        reason = "out_of_range"
    return Verdict(reason, new, new != old, digest)


def take_score(state: Tournament, slot: int, verdict: Verdict) -> None:
    """Apply a score that counts. Only such a one consumes its event id and an attempt."""
    members = state.members
    state.seen.add(verdict.digest)
    members.attempts[slot] += 1
    if verdict.changed:
        state.ranking.place(slot, verdict.score)
        members.scored_ms[slot] = state.time_ms
    state.dirty.add(slot)


def _new_score(spec: Spec, old: int | None, score: int) -> int:
    """The score policy: what the score is after one more submission."""
    if old is None or spec.score_policy == "last":
        return score
    if spec.score_policy == "sum":
        return old + score
    if spec.score_policy == "first":
        return old
    return max(old, score) if spec.order == "desc" else min(old, score)
