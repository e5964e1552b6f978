"""What a submission comes to by itself: whether it has what its tournament asks for, and the score and subscore in it."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from actors.domain.delivery import ResultItem, ScoreItem
from actors.domain.errors import ResultError
from actors.domain.messages import Spec, Subscore
from actors.domain.scoring.compute import COMPUTES_SUBSCORE, Computed, compute


def submission_score(spec: Spec, item: ScoreItem) -> Computed:
    """The score and the subscore (None where the tournament has none) of one submission, before the score policy.

    Raises ResultError, and InvalidRecordError `scoring_unknown`.
    """
    result, subscore = (item.result, item.subscore) if isinstance(item, ResultItem) else (b"", None)
    check_parts(spec.scoring, spec.subscore, result=bool(result), subscore=subscore is not None)
    computed = Computed(item.score, subscore) if spec.scoring is UNSET else compute(spec.scoring, result)
    if spec.subscore is UNSET:
        return Computed(computed.score, None)
    if computed.subscore is None:
        if subscore is None:  # only of a custom function that computes none
            raise ResultError("subscore", "expected this field: the tournament ranks equal scores by it", whole=True)
        return Computed(computed.score, subscore)
    return computed


def check_parts(scoring: object, wanted: Subscore | UnsetType, *, result: bool, subscore: bool) -> None:
    """Whether a submission has the parts that a tournament takes: a result, or a score; and a subscore beside it. Raises ResultError."""
    if scoring is UNSET and result:
        raise ResultError("result", "this tournament computes no scores: expected a score", whole=True)
    if scoring is not UNSET and not result:
        raise ResultError("result", "expected this field: the tournament computes the score from it", whole=True)
    if wanted is UNSET and subscore:
        raise ResultError("subscore", "this tournament has no subscore", whole=True)
    if isinstance(scoring, COMPUTES_SUBSCORE) and subscore:
        raise ResultError("subscore", "this tournament computes it from the result", whole=True)
    if wanted is not UNSET and scoring is UNSET and not subscore:
        raise ResultError("subscore", "expected this field: the tournament ranks equal scores by it", whole=True)
