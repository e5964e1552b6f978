"""Answers against a key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.errors import ResultError
from actors.domain.messages.scoring import Keyed
from actors.domain.scoring.keyed import score_keyed

QUESTIONS = [f"q{n}" for n in range(6)]
answers = st.sampled_from("ABCD")


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(QUESTIONS), answers | st.lists(answers, min_size=1, max_size=3), min_size=1),
    st.dictionaries(st.sampled_from(QUESTIONS), st.none() | answers),
    st.tuples(*[st.integers(-200, 500)] * 3),
)
def test_as_counted_one_by_one(key: dict[str, Any], given_: dict[str, Any], hundredths: tuple[int, int, int]) -> None:
    points, wrong, skipped = (Decimal(n) / 100 for n in hundredths)
    given_ = {question: answer for question, answer in given_.items() if question in key}
    wanted = Decimal(0)
    for question, right in key.items():
        answer = given_.get(question)
        wanted += skipped if answer is None else points if answer in list(right) else wrong
    scoring = Keyed(key=key, points=float(points), wrong=float(wrong), skipped=float(skipped))
    assert score_keyed(scoring, {"answers": given_}) == wanted * 100


def test_answers_are_compared_to_the_letter() -> None:
    scoring = Keyed(key={"a": "Paris", "b": ["4", "four"]}, points=1.5, wrong=-0.25, floor=0)
    assert score_keyed(scoring, {"answers": {"a": "Paris", "b": "four"}}) == 300
    assert score_keyed(scoring, {"answers": {"a": "paris", "b": "4"}}) == 125
    assert score_keyed(scoring, {"answers": {"a": "paris", "b": None}}) == 0
    assert score_keyed(scoring, {"answers": {}}) == 0


def test_an_unknown_question_is_named_and_nothing_tells_the_key() -> None:
    scoring = Keyed(key={"first": "secret", "second": ["hidden"]})
    wrong: list[dict[str, Any]] = [
        {"answers": {"third": "x"}},
        {"answers": {"first": ["secret"]}},
        {"answers": {"first": 1}},
        {},
        {"answers": {}, "more": 1},
    ]
    for result in wrong:
        with pytest.raises(ResultError) as caught:
            score_keyed(scoring, result)
        for told in ("secret", "hidden", "second"):
            assert told not in str(caught.value)
    with pytest.raises(ResultError) as unknown:
        score_keyed(scoring, {"answers": {"third": "x"}})
    assert unknown.value.field == "answers.third"
