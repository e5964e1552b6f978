"""From a result to a score, by the kind of the tournament's scoring."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from actors.domain.errors import ResultError
from actors.domain.messages.scoring import Custom, Keyed, Penalty, Scoring, Speed, Weighted
from actors.domain.scoring.custom import score_custom
from actors.domain.scoring.keyed import score_keyed
from actors.domain.scoring.penalty import score_penalty
from actors.domain.scoring.speed import score_speed
from actors.domain.scoring.weighted import score_weighted
from actors.domain.values import MAX_HUNDREDTHS

MAX_RESULT_BYTES: Final = 16 * 1024
COMPUTES_SUBSCORE: Final = (Speed, Penalty)  # and a custom function may; with the others it comes beside the result
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Computed(NamedTuple):
    """Hundredths; `subscore` None where the kind computes none. The score may lie beyond the largest: the fold judges that."""

    score: int
    subscore: int | None


def compute(scoring: Scoring, result: bytes) -> Computed:
    """The score of a result, an encoded JSON object. Pure, but for what a custom function does.

    Raises ResultError, which names the field; InvalidRecordError for a custom function that is not registered.
    """
    if len(result) > MAX_RESULT_BYTES:
        raise ResultError("", f"expected at most {MAX_RESULT_BYTES} bytes of JSON, got {len(result)}")
    try:
        computed = _computed(scoring, _decode(result))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise ResultError("", f"expected a JSON object: {error}") from None
    if computed.subscore is not None and computed.subscore > MAX_HUNDREDTHS:
        raise ResultError("", f"expected a subscore of at most {MAX_HUNDREDTHS / 100}")
    return computed


def _computed(scoring: Scoring, result: dict[str, Any]) -> Computed:
    match scoring:
        case Weighted():
            return Computed(score_weighted(scoring, result), None)
        case Keyed():
            return Computed(score_keyed(scoring, result), None)
        case Speed():
            return Computed(*score_speed(scoring, result))
        case Penalty():
            return Computed(*score_penalty(scoring, result))
        case Custom():
            return Computed(*score_custom(scoring, result))
