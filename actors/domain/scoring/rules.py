"""What a scoring must keep beyond the types of its fields, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET

from actors.domain.messages import Spec
from actors.domain.messages.scoring import TEAM_BOARD, Custom, Keyed, Penalty, Scoring, Speed, Weighted
from actors.domain.scoring.rounding import scaled

LARGEST_SCORE: Final = 99_999_999.99
LARGEST_WEIGHT: Final = 1_000_000.0
WEIGHT_DECIMALS: Final = 4
MAX_SCORING_BYTES: Final = 24 * 1024  # with 16 KiB of metadata a create still fits into a record of 64 KiB
LONGEST_S: Final = 366 * 24 * 3600.0


def scoring_problems(scoring: Scoring) -> list[tuple[str, str]]:
    """Every rule that a scoring breaks beyond its fields' types: (field within `scoring`, message), in which no answer of a key appears.

    Whether a custom function is registered is not judged here: that depends on the process (`actors.domain.scoring.custom`).
    """
    problems: list[tuple[str, str]] = []

    def check(field: str, number: float, decimals: int = 2, largest: float = LARGEST_SCORE) -> int:
        try:
            return scaled(number, decimals, largest)
        except ValueError as error:
            problems.append((field, str(error)))
            return 0

    _RULES[type(scoring)](scoring, check, problems)
    size = len(msgspec.json.encode(scoring))
    if size > MAX_SCORING_BYTES:
        problems.append(("", f"expected at most {MAX_SCORING_BYTES} bytes of JSON, got {size}"))
    return problems


Check = Callable[..., int]
Problems = list[tuple[str, str]]


def _bounds(scoring: Weighted | Keyed, check: Check, problems: Problems) -> None:
    floor = None if scoring.floor is UNSET else check("floor", scoring.floor)
    cap = None if scoring.cap is UNSET else check("cap", scoring.cap)
    if floor is not None and cap is not None and cap < floor:
        problems.append(("cap", "expected a cap not below the floor"))


def _weighted(scoring: Weighted, check: Check, problems: Problems) -> None:
    for name, weight in scoring.fields.items():
        check(f"fields.{name}", weight, WEIGHT_DECIMALS, LARGEST_WEIGHT)
    _bounds(scoring, check, problems)


def _keyed(scoring: Keyed, check: Check, problems: Problems) -> None:
    for name in ("points", "wrong", "skipped"):
        check(name, getattr(scoring, name))
    _bounds(scoring, check, problems)


def _speed(scoring: Speed, check: Check, problems: Problems) -> None:
    points, least = check("points", scoring.points), check("least", scoring.least)
    if least > points:
        problems.append(("least", "expected no more than points"))
    begin, end = check("from_s", scoring.from_s, 3, LONGEST_S), check("to_s", scoring.to_s, 3, LONGEST_S)
    if begin < 0:
        problems.append(("from_s", "expected 0 or more"))
    if end <= begin:
        problems.append(("to_s", "expected more than from_s"))


def _penalty(scoring: Penalty, _: Check, problems: Problems) -> None:
    if scoring.problems is not UNSET and len(set(scoring.problems)) != len(scoring.problems):
        problems.append(("problems", "expected each name once"))


def _custom(_: Custom, __: Check, ___: Problems) -> None:
    """Whether its options are right only the function knows."""


_RULES: Final[dict[type[Scoring], Callable[[Any, Check, Problems], None]]] = {
    Weighted: _weighted,
    Keyed: _keyed,
    Speed: _speed,
    Penalty: _penalty,
    Custom: _custom,
}


def scores_problems(spec: Spec) -> list[tuple[str, str]]:
    """What `scoring`, `subscore`, `boards` and `teams` of a spec break, alone or together: (field, message)."""
    problems: list[tuple[str, str]] = []
    if spec.scoring is not UNSET:
        found = scoring_problems(spec.scoring)
        problems += [(f"scoring.{field}" if field else "scoring", message) for field, message in found]
        if isinstance(spec.scoring, Penalty) and spec.subscore is UNSET:
            problems.append(("subscore", "expected this field: scoring by penalty ranks equal scores by it"))
    boards = [] if spec.boards is UNSET else spec.boards
    if len(set(boards)) != len(boards):
        problems.append(("boards", "expected each name once"))
    if spec.teams is not UNSET:
        if TEAM_BOARD not in boards:
            problems.append(("teams", f"expected {TEAM_BOARD!r} among the boards"))
        if (spec.teams.best is not UNSET) != (spec.teams.score == "best_mean"):
            problems.append(("teams.best", "expected this field with best_mean, and with it alone"))
    return problems


def shown_scoring(scoring: Scoring) -> dict[str, Any]:
    """What everybody may see of a scoring: all of it, but of a key only how many questions it has."""
    shown: dict[str, Any] = msgspec.to_builtins(scoring)
    if isinstance(scoring, Keyed):
        del shown["key"]
        shown["questions"] = len(scoring.key)
    return shown
