"""`keyed`: answers against a key. Nothing that is raised or returned here tells what the key has."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from actors.domain.errors import ResultError
from actors.domain.messages.scoring import MAX_QUESTIONS, Answer, Keyed, Label
from actors.domain.scoring.bounds import bounded
from actors.domain.scoring.reading import read_result
from actors.domain.values import hundredths


class KeyedResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer by question; what is null or missing was skipped."""

    answers: Annotated[dict[Label, Answer | None], msgspec.Meta(max_length=MAX_QUESTIONS)]


def score_keyed(scoring: Keyed, result: dict[str, Any]) -> int:
    """Hundredths of `{"answers": {"q1": "B", "q2": null}}`. An answer is right if it is the very text of the key.

    Raises ResultError for a question that the key does not have.
    """
    given = read_result(result, KeyedResult).answers
    unknown = [question for question in given if question not in scoring.key]
    if unknown:
        raise ResultError(f"answers.{unknown[0]}", "not a question of this tournament")
    right = wrong = 0
    for question, key in scoring.key.items():
        answer = given.get(question)
        if answer is None:
            continue
        if answer == key if isinstance(key, str) else answer in key:
            right += 1
        else:
            wrong += 1
    skipped = len(scoring.key) - right - wrong
    points = right * hundredths(scoring.points) + wrong * hundredths(scoring.wrong)
    return bounded(points + skipped * hundredths(scoring.skipped), scoring.floor, scoring.cap)
