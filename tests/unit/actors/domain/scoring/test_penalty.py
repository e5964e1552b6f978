"""ICPC's rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.errors import ResultError
from actors.domain.messages.scoring import Penalty
from actors.domain.scoring.penalty import score_penalty

attempted = st.fixed_dictionaries({}, optional={"minutes": st.none() | st.integers(0, 300), "wrong": st.integers(0, 9)})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("ABCDEFGH"), attempted), st.integers(0, 40))
def test_as_added_by_hand(problems: dict[str, dict[str, Any]], wrong_minutes: int) -> None:
    solved = minutes = 0
    for each in problems.values():
        if each.get("minutes") is not None:
            solved += 1
            minutes += each["minutes"]
            for _ in range(each.get("wrong", 0)):
                minutes += wrong_minutes
    assert score_penalty(Penalty(wrong_minutes=wrong_minutes), {"problems": problems}) == (100 * solved, 100 * minutes)


def test_a_contest() -> None:
    problems = {"A": {"minutes": 35, "wrong": 2}, "B": {"wrong": 4}, "C": {"minutes": 80}}
    assert score_penalty(Penalty(), {"problems": problems}) == (200, (35 + 2 * 20 + 80) * 100)


def test_a_problem_that_there_is_not() -> None:
    with pytest.raises(ResultError) as caught:
        score_penalty(Penalty(problems=["A", "B"]), {"problems": {"C": {"minutes": 1}}})
    assert caught.value.field == "problems.C"


@pytest.mark.parametrize(
    "problems", [{"A": {"minutes": -1}}, {"A": {"minutes": 1.5}}, {"A": {"wrong": None}}, {"A": 3}, {"": {}}, None]
)
def test_what_does_not_fit(problems: object) -> None:
    with pytest.raises(ResultError):
        score_penalty(Penalty(), {"problems": problems})
