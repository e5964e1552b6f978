"""The table that prizes are given by."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.messages import End, Join, Leave, Message, Spec
from actors.domain.prizes.allocation import Table, allocate
from actors.domain.prizes.rules import PrizeRule
from actors.domain.prizes.standings import final_table
from tests.support.histories import BEGIN_MS, Score, Step, create_of, fold, items_of

ALL = PrizeRule(top_percent=100, item="badge")


@pytest.mark.parametrize(
    ("ties", "order", "expected"),
    [
        ("shared", "desc", Table([3, 1, 4], [1, 1, 3], [50, 50, 20], False, True)),
        ("dense", "asc", Table([4, 3, 1], [1, 2, 2], [20, 50, 50], True, False)),
    ],
)
def test_it_is_the_list_of_those_with_a_rank(
    ties: Literal["shared", "dense"], order: Literal["desc", "asc"], expected: Table
) -> None:
    spec = Spec(name="T", type="scheduled", starts_ms=BEGIN_MS, ends_ms=2 * BEGIN_MS, ties=ties, order=order)
    joins: list[Message | Score] = [Join(command_id=f"j{user}", user_id=str(user)) for user in range(1, 6)]
    scores: list[Message | Score] = [
        Score(3, "a", 50),
        Score(1, "b", 50),
        Score(2, "c", 99),
        Score(4, "d", 20),
    ]  # 5 has none
    ends: list[Message | Score] = [Leave(command_id="l", user_id="2"), End(command_id="e")]
    steps = [Step(BEGIN_MS, what) for what in (create_of(spec), *joins, *scores, *ends)]
    assert final_table(fold(items_of(steps)), [ALL]) == expected


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=40),
    st.sampled_from(["first", "shared", "dense"]),
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12), st.sampled_from(["split", "each", "next"])), max_size=3),
)
def test_it_is_as_long_as_the_rules_need(scores: list[int], ties: Any, named: list[tuple[int, int, Any]]) -> None:
    """What is cut off changes no award."""
    spec = Spec(name="T", type="scheduled", starts_ms=BEGIN_MS, ends_ms=2 * BEGIN_MS, ties=ties)
    joins: list[Message | Score] = [Join(command_id=f"j{user}", user_id=str(user + 1)) for user in range(len(scores))]
    played: list[Message | Score] = [Score(user + 1, "e", score) for user, score in enumerate(scores)]
    steps = [Step(BEGIN_MS, what) for what in (create_of(spec), *joins, *played, End(command_id="e"))]
    state = fold(items_of(steps))
    rules = [PrizeRule(ranks=(a, a + more), amount="7", currency="JPY", ties=how) for a, more, how in named]
    assert allocate(rules, final_table(state, rules)) == allocate(rules, final_table(state, [*rules, ALL]))
