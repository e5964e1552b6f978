"""Promotion and demotion, by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.domain.messages.spec import League
from actors.domain.series.leagues import moves_of


def test_the_first_rise_and_the_last_fall() -> None:
    tables = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]
    moves = moves_of(tables, League(tiers=3, promote=2, demote=1))
    assert moves == [("4", 2), ("5", 1), ("6", 1), ("8", 3), ("9", 2), ("10", 2)]


def test_where_zones_meet_rising_goes_first() -> None:
    assert moves_of([[], [1, 2], []], League(tiers=3, promote=2, demote=2)) == [("1", 1), ("2", 1)]
    assert moves_of([[], [1, 2, 3], []], League(tiers=3, promote=2, demote=2)) == [("1", 1), ("2", 1), ("3", 3)]


def test_without_a_zone_nobody_moves_that_way() -> None:
    assert moves_of([[1, 2], [3, 4]], League(tiers=2, promote=0, demote=1)) == [("2", 2)]
    assert moves_of([[1, 2], [3, 4]], League(tiers=2, promote=1, demote=0)) == [("3", 1)]


@given(st.integers(2, 5), st.integers(0, 4), st.integers(0, 4), st.lists(st.integers(0, 9), min_size=5, max_size=5))
def test_each_moves_at_most_once_by_one_within_the_tiers(
    tiers: int, promote: int, demote: int, sizes: list[int]
) -> None:
    tables = [[100 * tier + n for n in range(size)] for tier, size in enumerate(sizes[:tiers], start=1)]
    moves = moves_of(tables, League(tiers=tiers, promote=promote, demote=demote))
    assert len({user for user, _ in moves}) == len(moves)
    for user, tier in moves:
        assert 1 <= tier <= tiers
        assert abs(tier - int(user) // 100) == 1
