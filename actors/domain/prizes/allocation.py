"""Who gets what: prize rules over a final table. Integers only, so that what is given out is the purse to the last unit.

Places are positions of the table, from 1; participants with the same rank are tied. What a tie does is the rule's to say:
- `split`: the tied share the amounts of the places that they stand on. Each gets the whole part of an equal share; the units that are
  left go one each to those listed first. Several rules over one tie go on where the one before stopped, so that nobody has two units
  more than another in all (largest remainder of the whole sum), and yet each rule gives out exactly its own.
- `each`: everyone gets the whole amount of the rank that they share; the places behind it are not given out.
- `next`: the tied take the places one after the other, as listed: who reached the score first comes first.

In a table of `dense` ranks (1, 1, 2) the tied stand on one place, their rank, for rules by `ranks`; by `next` places are positions even there.
Places that nobody stands on are not given out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import UNSET

from actors.domain.prizes.rules import PrizeRule
from actors.domain.values import hundredths


class Table(NamedTuple):
    """Those with a rank, in the order of the list: user ids, ranks, scores in hundredths; of each board everyone's group, None for none."""

    users: Sequence[int]
    ranks: Sequence[int]
    scores: Sequence[int]
    dense: bool = False
    descending: bool = True
    boards: Mapping[str, Sequence[str | None]] = {}


class Award(NamedTuple):
    """What a user gets by one rule (its number): units of the currency, or so many items. `group`: of the rule's board."""

    rule: int
    user_id: int
    rank: int
    units: int
    group: str | None = None


class _Tie(NamedTuple):
    """Members (indexes of the table) who share a rank: positions `first` to `last` of their contest, and its `rank` there."""

    members: Sequence[int]
    first: int
    last: int
    rank: int


Contest = tuple[str | None, Sequence[_Tie]]
_Dealt = dict[
    tuple[int, str | None, str | None, tuple[str, str]], int
]  # first member, board, group, what: units left so far


def allocate(rules: Sequence[PrizeRule], table: Table) -> list[Award]:
    """Every award, rule by rule in the table's order; nobody is named twice by one rule, and no award is of nothing."""
    contests: dict[str | None, list[Contest]] = {}
    dealt: _Dealt = {}
    awards: list[Award] = []
    for number, rule in enumerate(rules):
        board = None if rule.board is UNSET else rule.board
        if board not in contests:
            contests[board] = list(_contests(table, board))
        by_rank = table.dense and rule.ranks is not UNSET and rule.ties != "next"
        for group, ties in contests[board]:
            shares: Iterable[int]
            first, last = _places(rule, table, ties)
            for tie in ties:
                low, high = (tie.rank, tie.rank) if by_rank else (tie.first, tie.last)
                if low > last:
                    break
                if high < first:
                    continue
                covered = min(last, high) - max(first, low) + 1
                if rule.ties == "split":
                    shares = _split(rule, tie, covered, dealt, board, group)
                elif rule.ties == "each":
                    shares = [rule.units] * len(tie.members) if low >= first else []
                else:
                    shares = [0] * (max(first, low) - low) + [rule.units] * covered
                awards.extend(
                    Award(number, table.users[member], tie.rank, units, group)
                    for member, units in zip(tie.members, shares, strict=False)
                    if units
                )
    return awards


def _contests(table: Table, board: str | None) -> Iterator[Contest]:
    """The whole table, or each group of a board with the ranks within it."""
    if board is None:
        yield None, _ties(table, range(len(table.users)))
        return
    groups: dict[str, list[int]] = {}
    for member, group in enumerate(table.boards[board]):
        if group is not None:
            groups.setdefault(group, []).append(member)
    for group, members in groups.items():
        yield group, _ties(table, members)


def _ties(table: Table, members: Sequence[int]) -> list[_Tie]:
    ties: list[_Tie] = []
    start = 0
    for at in range(1, len(members) + 1):
        if at == len(members) or table.ranks[members[at]] != table.ranks[members[start]]:
            ties.append(_Tie(members[start:at], start + 1, at, len(ties) + 1 if table.dense else start + 1))
            start = at
    return ties


def _places(rule: PrizeRule, table: Table, ties: Sequence[_Tie]) -> tuple[int, int]:
    """The first and the last place of a rule in a contest."""
    if rule.ranks is not UNSET:
        return rule.ranks[0], rule.ranks[-1]
    if rule.top_percent is not UNSET:
        ranked = ties[-1].last if ties else 0
        return 1, -(-ranked * hundredths(rule.top_percent) // 10_000)
    assert rule.min_score is not UNSET
    least, sign = hundredths(rule.min_score), 1 if table.descending else -1
    good = [tie for tie in ties if (table.scores[tie.members[0]] - least) * sign >= 0]
    return 1, good[-1].last if good else 0


def _split(
    rule: PrizeRule, tie: _Tie, covered: int, dealt: _Dealt, board: str | None, group: str | None
) -> Iterator[int]:
    """Each one's share of `covered` places; the units left are dealt on from where the rule before stopped at this tie."""
    size = len(tie.members)
    share, left = divmod(rule.units * covered, size)
    key = (tie.members[0], board, group, rule.what)
    begin = dealt.get(key, 0)
    dealt[key] = (begin + left) % size
    return (share + ((at - begin) % size < left) for at in range(size))
