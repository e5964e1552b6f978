"""What is read of boards: the rank within a group, a board's groups, the table of the teams. All of it is counted when somebody asks.

So a score costs nothing more for the boards that its tournament has. A rank within a group is one pass over that group's keys, a list of
groups or teams one over all members (docs/scoring.md has the measurements); owners keep the newest of these until the next record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.domain.boards.groups import Groups
from actors.domain.ranking.ranking import Ranking


class GroupStanding(NamedTuple):
    """Where a member stands in a group: `rank` None without a score, `of` how many have a rank there."""

    group: str
    rank: int | None
    of: int


class GroupRow(NamedTuple):
    """A group of a board: how many are in it now, how many of these have a rank, the slot of the best of these (-1: none)."""

    group: str
    participants: int
    ranked: int
    best: int


class TeamRow(NamedTuple):
    """A team: its score in hundredths, None without a member that has one; `counted` scores make it up."""

    rank: int | None
    team: str
    score: int | None
    participants: int
    counted: int


def group_standing(ranking: Ranking, groups: Groups, slot: int) -> GroupStanding | None:
    """The place of a member within their group; None for one that is in none."""
    name = groups.of(slot)
    slots = None if name is None else groups.slots_of(name)
    if name is None or slots is None:
        return None
    return GroupStanding(name, ranking.rank_among(slot, slots), ranking.count_listed(slots))


def group_rows(ranking: Ranking, groups: Groups, active: Iterable[bool]) -> list[GroupRow]:
    """The groups with members that take part: most first, then by name."""
    listed = _Listed(ranking, groups)
    names, participants = groups.names(), _participants(groups, active)
    rows = [
        GroupRow(name, participants[number], listed.counts[number], listed.first(number))
        for number, name in enumerate(names)
        if name and participants[number]
    ]
    return sorted(rows, key=lambda row: (-row.participants, row.group))


def team_rows(
    ranking: Ranking, groups: Groups, active: Iterable[bool], *, descending: bool, dense: bool, best: int | None
) -> list[TeamRow]:
    """The teams with members that take part, by score, equal ones by name: nobody was first among teams.

    The score is the sum of the members' or, with `best`, the mean of their best so many (of all, where a team has fewer), in hundredths,
    half away from zero. Equal scores share a rank, 1, 1, 3, or 1, 1, 2 if `dense`. Teams without a score come last, without a rank.
    """
    listed = _Listed(ranking, groups)
    totals, counted = listed.sums(best)
    if best is not None:
        magnitudes = (2 * np.abs(totals) + counted) // np.maximum(2 * counted, 1)
        totals = np.where(totals < 0, -magnitudes, magnitudes)
    names, participants = groups.names(), _participants(groups, active)
    scores, counts = totals.tolist(), counted.tolist()
    present = [number for number, name in enumerate(names) if name and participants[number]]
    sign = -1 if descending else 1
    placed = sorted((n for n in present if counts[n]), key=lambda n: (sign * scores[n], names[n]))
    rows: list[TeamRow] = []
    rank = 0
    for place, n in enumerate(placed, start=1):
        if not rows or rows[-1].score != scores[n]:
            rank = rank + 1 if dense else place
        rows.append(TeamRow(rank, names[n], scores[n], participants[n], counts[n]))
    rest = sorted(names[n] for n in present if not counts[n])
    number_of = {name: n for n, name in enumerate(names)}
    return rows + [TeamRow(None, name, None, participants[number_of[name]], 0) for name in rest]


class _Listed:
    """The listed members by group, each group's in listing order."""

    def __init__(self, ranking: Ranking, groups: Groups) -> None:
        slots = ranking.slots(0, len(ranking))
        numbers = groups.numbers(slots)
        inside = numbers >= 0
        slots, numbers = slots[inside], numbers[inside]
        order = numbers.argsort(kind="stable")
        self._slots = slots[order]
        counts = np.bincount(numbers, minlength=len(groups))
        self._starts = np.cumsum(counts) - counts
        self._numbers = numbers[order]
        self._ranking = ranking
        self._counts = counts
        self.counts: list[int] = counts.tolist()

    def first(self, number: int) -> int:
        """The slot of a group's best, -1 for none."""
        return int(self._slots[self._starts[number]]) if self.counts[number] else -1

    def sums(self, best: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(sum, how many) of each group's best scores, in hundredths: exact, in 64 bits."""
        slots, numbers = self._slots, self._numbers
        if best is not None:
            top = np.arange(len(slots)) - self._starts[numbers] < best
            slots, numbers = slots[top], numbers[top]
        sums = np.zeros(len(self._counts), np.int64)
        if len(slots):
            np.add.at(sums, numbers, self._ranking.scores_of(slots))
        return sums, np.bincount(numbers, minlength=len(self._counts))


def _participants(groups: Groups, active: Iterable[bool]) -> list[int]:
    slots = np.flatnonzero(np.fromiter(active, np.bool_)).astype(np.int32)
    numbers = groups.numbers(slots)
    counts: list[int] = np.bincount(numbers[numbers >= 0], minlength=len(groups)).tolist()
    return counts
