"""What a score comes to under a tournament's rules. Without time: the fold moves that on first."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import UNSET

from actors.domain.delivery import ScoreItem
from actors.domain.errors import InvalidRecordError, ResultError
from actors.domain.life.windows import late_reason
from actors.domain.messages import Spec
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.scoring.compute import Computed
from actors.domain.scoring.submissions import submission_score
from actors.domain.tournament import Tournament
from actors.domain.values import MAX_HUNDREDTHS


class Scored(NamedTuple):
    """What became of a score: the reason why it does not count (empty if it does), and whether it changed the member's score.

    `rank_before`: the member's rank before such a change, None without one. `detail`: what of a submission does not fit. `score`: the member's
    score after one that counts, in hundredths.
    """

    reason: str
    changed: bool = False
    rank_before: int | None = None
    detail: str = ""
    score: int | None = None


# Reasons for which a submission becomes a dead letter, too: whoever produced it can find it there, and send it right.
UNFIT: Final = frozenset({"result_invalid", "scoring_unknown"})


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
    if members.disqualified and slot in members.disqualified:
        return Scored("disqualified")
    if (spec.window_ms is not UNSET or state.late_ms) and (reason := late_reason(state, slot)):
        return Scored(reason)
    if not state.plain or type(item) is not ScoreItem:
        return _take_submission(state, item, slot, known_rank)
    old = ranking.score(slot)
    new = _new_score(spec, old, item.score)
    digest = state.digest(b"e", item.user_id, item.event_id)
    if digest in state.seen:
        return Scored("duplicate")
    if members.attempts[slot] >= spec.max_attempts:
        return Scored("attempts_used")
    if members.done_ms and slot in members.done_ms:
        return Scored("done")
    if not -MAX_HUNDREDTHS <= new <= MAX_HUNDREDTHS:
        return Scored("out_of_range")
    state.seen[digest] = None
    members.attempts[slot] += 1
    if spec.ends_when is not UNSET and members.attempts[slot] >= spec.max_attempts:
        members.set_done(slot, state.time_ms)
    if new == old:
        return Scored("", score=new)
    rank = ranking.rank(slot) if known_rank is None else (known_rank or None)
    ranking.place(slot, new)
    members.scored_ms[slot] = state.time_ms
    return Scored("", True, rank, "", new)


def _take_submission(state: Tournament, item: ScoreItem, slot: int, known_rank: int | None) -> Scored:
    """As `take_score`, of one that counts by its time, where scoring, a subscore or a result comes in."""
    members, ranking = state.members, state.ranking
    digest = state.digest(b"e", item.user_id, item.event_id)
    if digest in state.seen:
        return Scored("duplicate")
    if members.attempts[slot] >= state.spec.max_attempts:
        return Scored("attempts_used")
    if members.done_ms and slot in members.done_ms:
        return Scored("done")
    try:
        sent = submission_score(state.spec, item)
    except ResultError as error:
        return Scored("result_invalid", detail=str(error))
    except InvalidRecordError as error:
        return Scored(error.reason, detail=error.detail)
    second = ranking if isinstance(ranking, SubscoreRanking) else None
    score = ranking.score(slot)
    old = None if score is None else Computed(score, None if second is None else second.subscore(slot))
    new = _new_pair(state.spec, old, sent)
    if max(abs(new.score), abs(new.subscore or 0)) > MAX_HUNDREDTHS:
        return Scored("out_of_range")
    state.seen[digest] = None
    members.attempts[slot] += 1
    if state.spec.ends_when is not UNSET and members.attempts[slot] >= state.spec.max_attempts:
        members.set_done(slot, state.time_ms)
    if new == old:
        return Scored("", score=new.score)
    rank = ranking.rank(slot) if known_rank is None else (known_rank or None)
    if second is None:
        ranking.place(slot, new.score)
    else:
        second.place(slot, new.score, new.subscore or 0)
    members.scored_ms[slot] = state.time_ms
    return Scored("", True, rank, "", new.score)


def _new_pair(spec: Spec, old: Computed | None, sent: Computed) -> Computed:
    """The score policy for a score with its subscore (None where the tournament has none): a better subscore betters an equal score."""
    if old is None or spec.score_policy == "last":
        return sent
    if spec.score_policy == "sum":
        both = None if old.subscore is None or sent.subscore is None else old.subscore + sent.subscore
        return Computed(old.score + sent.score, both)
    if spec.score_policy == "first":
        return old
    if old.score == sent.score:
        if old.subscore is None or sent.subscore is None or spec.subscore is UNSET:
            return old
        first = max if spec.subscore.order == "desc" else min
        return Computed(old.score, first(old.subscore, sent.subscore))
    return max(old, sent) if spec.order == "desc" else min(old, sent)  # by the scores, which differ


def _new_score(spec: Spec, old: int | None, score: int) -> int:
    """The score policy: what the score is after one more submission."""
    if old is None or spec.score_policy == "last":
        return score
    if spec.score_policy == "sum":
        return old + score
    if spec.score_policy == "first":
        return old
    return max(old, score) if spec.order == "desc" else min(old, score)
