"""A deployer's own functions: what they may answer, and what becomes of the rest."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from actors.domain.errors import InvalidRecordError, ResultError
from actors.domain.messages.scoring import Custom
from actors.domain.scoring import custom


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    yield
    custom.register({})


def score(answer: Any, result: dict[str, Any] | None = None, **options: Any) -> tuple[int, int | None]:
    custom.register({"mine": answer if callable(answer) else lambda _result, _options: answer})
    return custom.score_custom(Custom(function="mine", options=options), result or {})


def test_it_gets_the_result_and_the_options() -> None:
    def reps(result: dict[str, Any], options: dict[str, Any]) -> int:
        return int(result["reps"] * options["each"])

    assert score(reps, {"reps": 7}, each=3) == (2100, None)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (7, (700, None)), (Decimal("0.125"), (13, None)), (Decimal("-0.125"), (-13, None)),
        ((3, Decimal("1.5")), (300, 150)), (99_999_999, (9_999_999_900, None)),
    ],
)  # fmt: skip
def test_what_it_may_answer(answer: object, wanted: tuple[int, int | None]) -> None:
    assert score(answer) == wanted


@pytest.mark.parametrize(
    "answer", [1.5, True, "7", None, (1, 2, 3), [1, 2], 100_000_000, Decimal("NaN"), Decimal("1e9"), (1, 2.5)]
)
def test_what_it_may_not(answer: object) -> None:
    with pytest.raises(ResultError, match="expected"):
        score(answer)


def test_it_refuses_by_a_value_error_and_an_error_of_its_own_is_no_crash() -> None:
    def refuses(result: dict[str, Any], _options: dict[str, Any]) -> int:
        if "reps" not in result:
            raise ValueError("expected reps")
        return int(1 / result["reps"])

    with pytest.raises(ResultError, match="expected reps"):
        score(refuses)
    with pytest.raises(ResultError, match="failed: ZeroDivisionError"):
        score(refuses, {"reps": 0})
    with pytest.raises(ResultError, match="failed: SystemExit"):
        score(lambda _result, _options: sys.exit(1))


def test_one_that_does_not_come_to_an_end_is_refused_wherever_it_loops() -> None:
    """At the same step each time; whoever traces this process goes on tracing it."""
    lines = 0

    def loops(result: dict[str, Any], _options: dict[str, Any]) -> int:
        nonlocal lines
        lines = 0
        while "stop" not in result:
            try:
                lines += 1
                int("no number")
            except ValueError:
                continue
        return 1

    def within(_result: dict[str, Any], _options: dict[str, Any]) -> int:
        return sum(1 for _ in itertools.count())

    tracing = sys.gettrace()
    seen = []
    for _ in range(2):
        with pytest.raises(ResultError, match="took more than 1000000 steps"):
            score(loops)
        seen.append(lines)
    assert seen[0] == seen[1] > 100_000
    with pytest.raises(ResultError, match="took more than 1000000 steps"):
        score(within)
    assert score(loops, {"stop": 1}) == (100, None)
    assert sys.gettrace() is tracing


def test_what_it_changes_is_its_own() -> None:
    def greedy(_result: dict[str, Any], options: dict[str, Any]) -> int:
        options["taken"].append(1)
        return len(options["taken"])

    custom.register({"mine": greedy})
    scoring = Custom(function="mine", options={"taken": []})
    assert [custom.score_custom(scoring, {}) for _ in range(2)] == [(100, None), (100, None)]


def test_one_that_is_not_registered_is_named() -> None:
    custom.register({})
    with pytest.raises(InvalidRecordError, match="scoring_unknown: no scoring function 'mine'"):
        custom.score_custom(Custom(function="mine"), {})
    custom.register({"b": lambda _result, _options: 1, "a": lambda _result, _options: 2})
    assert custom.function_problem(Custom(function="a")) == ""
    assert custom.function_problem(Custom(function="mine")) == (
        "no scoring function 'mine' is registered here; registered: a, b"
    )
