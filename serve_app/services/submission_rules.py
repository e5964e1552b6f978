"""What a tournament wants of submissions, as its view tells it: so what does not fit is refused at once, with the field named.

A key is in no view. So of `keyed` answers only the form is judged here, and of `custom` results nothing: those are left to the fold.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from actors.domain.errors import ResultError
from actors.domain.messages import Custom, Scoring, Subscore
from actors.domain.scoring.compute import compute
from actors.domain.scoring.keyed import KeyedResult
from actors.domain.scoring.reading import read_result
from actors.domain.scoring.submissions import check_parts


class ShownKey(msgspec.Struct, frozen=True):
    """`keyed` scoring as shown: without its key."""

    questions: int


class _View(msgspec.Struct, frozen=True):
    scoring: dict[str, Any] | UnsetType = UNSET
    subscore: Subscore | UnsetType = UNSET


_decode_view: Final = msgspec.json.Decoder(_View).decode


class SubmissionRules(msgspec.Struct, frozen=True):
    """`scoring` and `subscore` of a tournament."""

    scoring: Scoring | ShownKey | UnsetType = UNSET
    subscore: Subscore | UnsetType = UNSET

    def check(self, *, subscore: bool, result: dict[str, Any] | UnsetType) -> None:
        """Judge a submission, with a score where it has no `result`; `subscore`: whether it has one beside it. Raises ResultError."""
        scoring = self.scoring
        check_parts(scoring, self.subscore, result=result is not UNSET, subscore=subscore)
        if isinstance(scoring, ShownKey):
            _check_answers(scoring, result)
        elif scoring is not UNSET and not isinstance(scoring, Custom):
            compute(scoring, msgspec.json.encode(result))


def rules_of(view: bytes) -> SubmissionRules:
    """The rules in an encoded view."""
    shown = _decode_view(view)
    if shown.scoring is UNSET:
        return SubmissionRules(subscore=shown.subscore)
    if shown.scoring["kind"] == "keyed":
        return SubmissionRules(ShownKey(shown.scoring["questions"]), shown.subscore)
    return SubmissionRules(msgspec.convert(shown.scoring, Scoring), shown.subscore)


def _check_answers(scoring: ShownKey, result: dict[str, Any] | UnsetType) -> None:
    answers = read_result(result, KeyedResult).answers
    if len(answers) > scoring.questions:
        raise ResultError("answers", f"expected at most {scoring.questions}, got {len(answers)}")
