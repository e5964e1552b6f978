"""Results as they come in records: bytes, of any kind of scoring."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.domain.errors import InvalidRecordError, ResultError
from actors.domain.messages.scoring import Custom, Keyed, Penalty, Scoring, Speed, Weighted
from actors.domain.scoring.compute import MAX_RESULT_BYTES, compute

KINDS: list[tuple[Scoring, Any, tuple[int, int | None]]] = [
    (Weighted(fields={"correct": 2}), {"correct": 3}, (600, None)),
    (Keyed(key={"a": "b"}), {"answers": {"a": "b"}}, (100, None)),
    (Speed(points=10, to_s=10), {"time_s": 5}, (500, 500)),
    (Penalty(), {"problems": {"A": {"minutes": 9}}}, (100, 900)),
]


@pytest.mark.parametrize(("scoring", "result", "wanted"), KINDS)
def test_each_kind(scoring: Scoring, result: Any, wanted: tuple[int, int | None]) -> None:
    assert compute(scoring, msgspec.json.encode(result)) == wanted


@pytest.mark.parametrize("scoring", [scoring for scoring, _, _ in KINDS])
@pytest.mark.parametrize(
    "result",
    [
        b"",
        b"[]",
        b"null",
        b"3",
        b'{"a":',
        b"{" * 5000,
        b'{"\xff":1}',
        b"{" + b" " * MAX_RESULT_BYTES + b"}",
        b'{"zzz":1}',
        b'{"time_s":1e999}',
    ],
)
def test_what_is_no_result_is_one_kind_of_error(scoring: Scoring, result: bytes) -> None:
    with pytest.raises(ResultError):
        compute(scoring, result)


def test_the_field_is_named_within_the_result() -> None:
    with pytest.raises(ResultError) as caught:
        compute(Penalty(), b'{"problems":{"A":{"minutes":"9"}}}')
    assert caught.value.field == "problems.A.minutes"
    assert str(caught.value) == "result.problems.A.minutes: Expected `int | null`, got `str`"


def test_a_subscore_beyond_the_largest_does_not_fit() -> None:
    problems = {chr(65 + n): {"minutes": 10_000_000, "wrong": 10_000} for n in range(20)}
    with pytest.raises(ResultError, match="subscore"):
        compute(Penalty(), msgspec.json.encode({"problems": problems}))


def test_a_function_that_is_not_there_is_no_fault_of_the_result() -> None:
    with pytest.raises(InvalidRecordError, match="scoring_unknown"):
        compute(Custom(function="nowhere"), b"{}")
