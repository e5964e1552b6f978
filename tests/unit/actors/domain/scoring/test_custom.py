"""A deployer's own functions: what they may answer, and what becomes of the rest."""

from __future__ import annotations

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


def test_one_that_is_not_registered_is_named() -> None:
    custom.register({})
    with pytest.raises(InvalidRecordError, match="scoring_unknown: no scoring function 'mine'"):
        custom.score_custom(Custom(function="mine"), {})
    custom.register({"b": lambda _result, _options: 1, "a": lambda _result, _options: 2})
    assert custom.function_problem(Custom(function="a")) == ""
    assert custom.function_problem(Custom(function="mine")) == (
        "no scoring function 'mine' is registered here; registered: a, b"
    )
