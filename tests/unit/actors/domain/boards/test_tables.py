"""Ranks within groups, lists of groups and teams, against plain loops in exact fractions."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.boards.groups import Groups
from actors.domain.boards.tables import GroupRow, TeamRow, group_rows, group_standing, team_rows
from actors.domain.ranking.ranking import Ranking
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.values import MAX_HUNDREDTHS

NAMES = ["a", "b", "c"]
members = st.lists(
    st.tuples(
        st.none() | st.sampled_from(NAMES),
        st.none() | st.integers(-3, 3) | st.sampled_from([-MAX_HUNDREDTHS, MAX_HUNDREDTHS]),
        st.booleans(),
    ),
    max_size=12,
)
Rows = list[tuple[str | None, int | None, bool]]


def build(rows: Rows, descending: bool, ties: str, second: bool) -> tuple[Ranking, Groups, list[bool]]:
    ranking = (SubscoreRanking if second else Ranking)(descending=descending, ties=ties)
    groups = Groups()
    for slot, (group, score, active) in enumerate(rows):
        if group is not None:
            groups.put(slot, group)
        if score is not None:
            ranking.place(slot, score)
        if not active:
            ranking.hide(slot)
    return ranking, groups, [active for _, _, active in rows]


@settings(deadline=None)
@given(members, st.booleans(), st.sampled_from(["first", "shared", "dense"]), st.booleans())
def test_ranks_within_groups(rows: Rows, descending: bool, ties: str, second: bool) -> None:
    ranking, groups, active = build(rows, descending, ties, second)
    sign = -1 if descending else 1
    for slot, (group, score, present) in enumerate(rows):
        standing = group_standing(ranking, groups, slot)
        if group is None:
            assert standing is None
            continue
        others = [(sign * s, n) for n, (g, s, a) in enumerate(rows) if g == group and a and s is not None]
        better = [mark for mark, n in others if score is not None and mark < sign * score]
        if score is None or not present:
            rank = None
        elif ties == "first":
            rank = 1 + sorted(others).index((sign * score, slot))
        else:
            rank = 1 + len(better if ties == "shared" else set(better))
        assert standing == (group, rank, len(others))
    for row in (listed := group_rows(ranking, groups, active)):
        inside = [(sign * s, n) for n, (g, s, a) in enumerate(rows) if g == row.group and a and s is not None]
        present_there = sum(a for g, _, a in rows if g == row.group)
        assert row == GroupRow(row.group, present_there, len(inside), min(inside)[1] if inside else -1)
    assert {row.group for row in listed} == {g for g, _, a in rows if g and a}
    assert listed == sorted(listed, key=lambda row: (-row.participants, row.group))


@settings(deadline=None)
@given(members, st.booleans(), st.booleans(), st.none() | st.integers(1, 4))
def test_teams(rows: Rows, descending: bool, dense: bool, best: int | None) -> None:
    ranking, groups, active = build(rows, descending, "dense" if dense else "first", False)
    wanted: dict[str, tuple[Decimal | None, int, int]] = {}
    for team in NAMES:
        present = sum(a for g, _, a in rows if g == team)
        scores = sorted((s for g, s, a in rows if g == team and a and s is not None), reverse=descending)[:best]
        if present and not scores:
            wanted[team] = None, present, 0
        elif present:
            total = Decimal(sum(scores)) / (1 if best is None else len(scores))
            wanted[team] = total.quantize(Decimal(1), ROUND_HALF_UP), present, len(scores)
    sign = -1 if descending else 1
    got = team_rows(ranking, groups, active, descending=descending, dense=dense, best=best)
    assert {row.team: (row.score, row.participants, row.counted) for row in got} == wanted
    totals = [score for score, _, _ in wanted.values() if score is not None]
    for row in got:
        better = [total for total in totals if row.score is not None and sign * total < sign * row.score]
        assert row.rank == (None if row.score is None else 1 + len(set(better) if dense else better))
    assert got == sorted(
        got, key=lambda row: (row.score is None, sign * row.score if row.score is not None else 0, row.team)
    )


def test_a_mean_is_rounded_half_away_from_zero() -> None:
    ranking, groups, active = build([("a", 1, True), ("a", 2, True), ("b", -1, True), ("b", -2, True)], True, "first", False)  # fmt: skip
    rows = team_rows(ranking, groups, active, descending=True, dense=False, best=5)
    assert rows == [TeamRow(1, "a", 2, 2, 2), TeamRow(2, "b", -2, 2, 2)]
