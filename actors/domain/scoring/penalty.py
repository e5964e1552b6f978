"""`penalty`: problems solved, then the time that they took, as in the ICPC."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from actors.domain.errors import ResultError
from actors.domain.messages.scoring import MAX_PROBLEMS, Label, Penalty
from actors.domain.scoring.reading import read_result

Minutes = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]


class Attempted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One problem: the full `minutes` from the start until it was solved (null: it was not), and the wrong attempts before."""

    minutes: Minutes | None = None
    wrong: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0


class PenaltyResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How each problem stands; those left out were not attempted."""

    problems: Annotated[dict[Label, Attempted], msgspec.Meta(max_length=MAX_PROBLEMS)]


def score_penalty(scoring: Penalty, result: dict[str, Any]) -> tuple[int, int]:
    """(solved, minutes), both in hundredths, of `{"problems": {"A": {"minutes": 35, "wrong": 2}, "B": {"wrong": 1}}}`.

    Wrong attempts at a problem that was never solved cost nothing. Raises ResultError for a problem that there is not.
    """
    given = read_result(result, PenaltyResult).problems
    if scoring.problems is not UNSET:
        unknown = [name for name in given if name not in scoring.problems]
        if unknown:
            raise ResultError(f"problems.{unknown[0]}", f"expected one of {', '.join(scoring.problems)}")
    solved = [(each.minutes, each.wrong) for each in given.values() if each.minutes is not None]
    minutes = sum(at + wrong * scoring.wrong_minutes for at, wrong in solved)
    return 100 * len(solved), 100 * minutes
