"""How a tournament's scores come about and where they are shown: `scoring`, `subscore`, `boards` and `teams` of its spec.

The structs are the contract's own JSON, so the log, the snapshots and the bodies of requests have one form. Numbers are JSON numbers
with few decimals; the kinds turn them into whole multiples, so that nothing is lost (`actors.domain.scoring.rounding`).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_FIELDS: Final = 100
MAX_QUESTIONS: Final = 1000
MAX_ANSWERS: Final = 20  # that are right, of one question
MAX_PROBLEMS: Final = 100
MAX_BOARDS: Final = 4
TEAM_BOARD: Final = "team"  # the attribute that `teams` is about

Label = Annotated[str, Meta(min_length=1, max_length=64)]
Answer = Annotated[str, Meta(min_length=1, max_length=200)]
BOARD_PATTERN: Final = "^[a-z][a-z0-9_]{0,31}$"
BoardName = Annotated[str, Meta(pattern=BOARD_PATTERN)]
Group = Annotated[str, Meta(min_length=1, max_length=64)]
Boards = Annotated[list[BoardName], Meta(min_length=1, max_length=MAX_BOARDS)]
Attributes = Annotated[dict[BoardName, Group], Meta(max_length=MAX_BOARDS)]


class _Scoring(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", omit_defaults=True
):
    """Base of all kinds."""


class Weighted(_Scoring, frozen=True, kw_only=True, tag="weighted"):
    """The sum of a result's fields, each times its weight, not below `floor` nor above `cap`.

    Weights have at most 4 decimals, up to +-1,000,000; `floor` and `cap` are scores.
    """

    fields: Annotated[dict[Label, float], Meta(min_length=1, max_length=MAX_FIELDS)]
    floor: float | UnsetType = UNSET
    cap: float | UnsetType = UNSET


class Keyed(_Scoring, frozen=True, kw_only=True, tag="keyed"):
    """Answers against a key, which is shown to nobody: `points` for each right one, `wrong` for each wrong, `skipped` for each missing.

    The key gives for each question the right answer, or a list of answers of which any is right.
    """

    key: Annotated[
        dict[Label, Answer | Annotated[list[Answer], Meta(min_length=1, max_length=MAX_ANSWERS)]],
        Meta(min_length=1, max_length=MAX_QUESTIONS),
    ]
    points: float = 1
    wrong: float = 0
    skipped: float = 0
    floor: float | UnsetType = UNSET
    cap: float | UnsetType = UNSET


class Speed(_Scoring, frozen=True, kw_only=True, tag="speed"):
    """`points` up to `from_s` seconds, then falling evenly to `least` at `to_s` and later; 0 for a wrong answer."""

    points: float
    to_s: float
    from_s: float = 0
    least: float = 0


class Penalty(_Scoring, frozen=True, kw_only=True, tag="penalty"):
    """As in the ICPC: the score is the number of problems solved, the subscore the minutes of those plus `wrong_minutes` for each
    wrong attempt at them. `problems` names those that there are; without it any name is taken."""

    wrong_minutes: Annotated[int, Meta(ge=0, le=10_000)] = 20
    problems: Annotated[list[Label], Meta(min_length=1, max_length=MAX_PROBLEMS)] | UnsetType = UNSET


class Custom(_Scoring, frozen=True, kw_only=True, tag="custom"):
    """A function of whoever runs this Palio, by its registered name; `options` are handed to it with each result."""

    function: Label
    options: dict[str, Any] = {}


Scoring = Weighted | Keyed | Speed | Penalty | Custom


class Subscore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How equal scores stand: by a second number of each submission, in its own order; who was first decides only between equals in both."""

    order: Literal["desc", "asc"]


class Teams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How teams are scored, those who gave the same `team` at joining: the sum of all, or the mean of the `best` so many."""

    score: Literal["sum", "best_mean"]
    best: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
