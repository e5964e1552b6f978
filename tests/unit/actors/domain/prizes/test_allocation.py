"""Allocation: worked examples, and properties against an independent computation with fractions."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from typing import Any, Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.prizes.allocation import Award, Table, allocate
from actors.domain.prizes.rules import PrizeRule

Ties = Literal["first", "shared", "dense"]


def rule(**fields: Any) -> PrizeRule:
    return msgspec.convert(fields, PrizeRule)


def eur(amount: str, first: int, last: int | None = None, **more: Any) -> PrizeRule:
    return rule(ranks=[first, last or first], amount=amount, currency="EUR", **more)


def table(scores: list[int], ties: Ties = "shared", groups: list[str | None] | None = None) -> Table:
    """Users 1, 2, ... with these scores, best first."""
    ranks: list[int] = []
    for at, score in enumerate(scores):
        if ties == "first" or not at:
            ranks.append(at + 1)
        elif score == scores[at - 1]:
            ranks.append(ranks[-1])
        else:
            ranks.append(ranks[-1] + 1 if ties == "dense" else at + 1)
    boards = {} if groups is None else {"country": groups}
    return Table(list(range(1, len(scores) + 1)), ranks, scores, ties == "dense", True, boards)


def by_user(awards: list[Award]) -> dict[int, int]:
    totals: Counter[int] = Counter()
    for award in awards:
        totals[award.user_id] += award.units
    return dict(totals)


def test_split_gives_the_remainder_by_rank() -> None:
    awards = allocate([eur("100.01", 1, 2)], table([9, 9, 9]))
    assert by_user(awards) == {1: 6668, 2: 6667, 3: 6667}
    assert {award.rank for award in awards} == {1}


def test_split_of_several_rules_is_one_split_in_all() -> None:
    awards = allocate([eur("100.01", 1), eur("50.01", 2), eur("10", 3)], table([9, 9, 5]))
    assert by_user(awards) == {1: 7501, 2: 7501, 3: 1000}
    assert Counter(rule_number for rule_number, *_ in awards) == {0: 2, 1: 2, 2: 1}
    assert sum(award.units for award in awards if award.rule == 0) == 10001


def test_each_gives_all_the_whole_and_keeps_the_places_behind() -> None:
    awards = allocate(
        [eur("100", 1, ties="each"), eur("50", 2, ties="each"), eur("10", 3, ties="each")], table([9, 9, 5])
    )
    assert by_user(awards) == {1: 10000, 2: 10000, 3: 1000}


def test_next_tells_the_tied_apart_by_who_was_first() -> None:
    awards = allocate([eur("100", 1, ties="next"), eur("50", 2, ties="next")], table([9, 9, 9]))
    assert by_user(awards) == {1: 10000, 2: 5000}


def test_dense_ranks_are_places_of_their_own() -> None:
    rules = [eur("100", 1), eur("50", 2)]
    assert by_user(allocate(rules, table([9, 9, 5], "dense"))) == {1: 5000, 2: 5000, 3: 5000}
    taken_in_turn = [eur("100", 1, ties="next"), eur("50", 2, ties="next")]
    assert by_user(allocate(taken_in_turn, table([9, 9, 5], "dense"))) == {1: 10000, 2: 5000}


def test_yen_have_no_decimals_and_dinars_three() -> None:
    yen = rule(ranks=[1], amount="100", currency="JPY")
    dinar = rule(ranks=[1], amount="0.100", currency="BHD")
    assert by_user(allocate([yen], table([1, 1, 1]))) == {1: 34, 2: 33, 3: 33}
    assert by_user(allocate([dinar], table([1, 1, 1]))) == {1: 34, 2: 33, 3: 33}


def test_an_item_is_not_cut() -> None:
    assert by_user(allocate([rule(ranks=[1], item="bike")], table([7, 7]))) == {1: 1}
    assert by_user(allocate([rule(ranks=[1], item="mug", count=3)], table([7, 7]))) == {1: 2, 2: 1}


def test_top_percent_is_rounded_up_and_a_tie_across_its_edge_shares() -> None:
    top = rule(top_percent=30, amount="10", currency="EUR")
    assert by_user(allocate([top], table([9, 8, 7, 6, 5]))) == {1: 1000, 2: 1000}
    assert by_user(allocate([top], table([9, 8, 8, 6, 5]))) == {1: 1000, 2: 500, 3: 500}
    assert by_user(allocate([top], table([9]))) == {1: 1000}
    assert allocate([top], table([])) == []
    exact = rule(top_percent=33.33, amount="10", currency="EUR")  # 3333 of 10,000, not a double's neighbour
    assert len(allocate([exact], table(list(range(10_000, 0, -1))))) == 3333


def test_min_score_is_for_all_who_are_as_good() -> None:
    good = rule(min_score=0.07, item="badge")
    assert by_user(allocate([good], table([9, 7, 7, 6]))) == {1: 1, 2: 1, 3: 1}
    race = table([3, 7, 7, 9])._replace(descending=False)
    assert by_user(allocate([good], race)) == {1: 1, 2: 1, 3: 1}


def test_a_board_has_places_within_each_group() -> None:
    best = eur("10", 1, board="country")
    groups: list[str | None] = ["fr", "it", "fr", None, "it"]
    awards = allocate([best], table([9, 8, 7, 6, 5], groups=groups))
    assert [(award.user_id, award.rank, award.group) for award in awards] == [(1, 1, "fr"), (2, 1, "it")]
    tied = allocate([best], table([9, 9, 9, 6, 6], groups=groups))
    assert by_user(tied) == {1: 500, 3: 500, 2: 1000}


def test_places_nobody_stands_on_are_kept() -> None:
    assert by_user(allocate([eur("10", 1, 5)], table([9, 8]))) == {1: 1000, 2: 1000}


# -- properties --------------------------------------------------------------------------------------------------------

scores_of_few = st.lists(st.integers(1, 6), max_size=14).map(lambda scores: sorted(scores, reverse=True))
amounts = st.integers(1, 100_000)
any_ties = st.sampled_from(["first", "shared", "dense"])


@st.composite
def place_rules(draw: st.DrawFn, how: str | None = None) -> list[PrizeRule]:
    rules = []
    for _ in range(draw(st.integers(1, 5))):
        first = draw(st.integers(1, 8))
        last = first + draw(st.integers(0, 5))
        ties = how or draw(st.sampled_from(["split", "each", "next"]))
        rules.append(rule(ranks=[first, last], amount=str(draw(amounts)), currency="JPY", ties=ties))
    return rules


def places_taken(shown: Table) -> int:
    """How many places somebody stands on."""
    return (shown.ranks[-1] if shown.ranks else 0) if shown.dense else len(shown.users)


@settings(max_examples=300, deadline=None)
@given(scores_of_few, any_ties, place_rules("split"))
def test_a_split_gives_out_the_purse_whatever_the_ties(scores: list[int], ties: Ties, rules: list[PrizeRule]) -> None:
    shown = table(scores, ties)
    awards = allocate(rules, shown)
    for number, of in enumerate(rules):
        assert of.ranks is not msgspec.UNSET
        filled = max(0, min(of.ranks[-1], places_taken(shown)) - of.ranks[0] + 1)
        assert sum(award.units for award in awards if award.rule == number) == of.units * filled


@settings(max_examples=300, deadline=None)
@given(scores_of_few, st.sampled_from(["first", "shared"]), place_rules("next"))
def test_next_gives_out_the_purse_too(scores: list[int], ties: Ties, rules: list[PrizeRule]) -> None:
    awards = allocate(rules, table(scores, ties))
    ranges = [of.ranks for of in rules if of.ranks is not msgspec.UNSET]
    filled = [max(0, min(places[-1], len(scores)) - places[0] + 1) for places in ranges]
    assert sum(award.units for award in awards) == sum(n * of.units for n, of in zip(filled, rules, strict=True))


@settings(max_examples=300, deadline=None)
@given(scores_of_few, any_ties, place_rules())
def test_shares_are_those_of_an_independent_computation(scores: list[int], ties: Ties, rules: list[PrizeRule]) -> None:
    """With fractions, place by place: each within one unit of the exact share, in all rules together; `each` and `next` exactly."""
    shown = table(scores, ties)
    splits: defaultdict[int, Fraction] = defaultdict(Fraction)
    wholes: Counter[int] = Counter()
    for of in rules:
        assert of.ranks is not msgspec.UNSET
        for place in range(of.ranks[0], of.ranks[-1] + 1):
            if of.ties == "next":
                wholes.update({place: of.units} if place <= len(scores) else {})
            elif of.ties == "each":
                wholes.update(
                    {user: of.units for user, rank in zip(shown.users, shown.ranks, strict=True) if rank == place}
                )
            else:
                standing = [user for user, rank in zip(shown.users, shown.ranks, strict=True) if rank == place]
                if not shown.dense and place <= len(scores):
                    rank = shown.ranks[place - 1]
                    standing = [user for user, other in zip(shown.users, shown.ranks, strict=True) if other == rank]
                for user in standing:
                    splits[user] += Fraction(of.units, len(standing))
    given_by_split: Counter[int] = Counter()
    given_whole: Counter[int] = Counter()
    for award in allocate(rules, shown):
        (given_by_split if rules[award.rule].ties == "split" else given_whole)[award.user_id] += award.units
    assert +given_whole == +wholes
    for user in shown.users:
        assert abs(given_by_split[user] - splits[user]) < 1
    for user, other in zip(shown.users, shown.users[1:], strict=False):
        if shown.ranks[user - 1] == shown.ranks[other - 1]:
            assert 0 <= given_by_split[user] - given_by_split[other] <= 1  # the remainder goes by rank


@settings(max_examples=200, deadline=None)
@given(scores_of_few, any_ties, place_rules(), st.randoms(use_true_random=False))
def test_the_order_of_rules_changes_no_total(
    scores: list[int], ties: Ties, rules: list[PrizeRule], random: Any
) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)
    shown = table(scores, ties)
    assert by_user(allocate(shuffled, shown)) == by_user(allocate(rules, shown))


@given(scores_of_few, any_ties, place_rules())
def test_nobody_is_named_twice_by_a_rule_and_nothing_is_no_award(
    scores: list[int], ties: Ties, rules: list[PrizeRule]
) -> None:
    awards = allocate(rules, table(scores, ties))
    assert len({(award.rule, award.user_id) for award in awards}) == len(awards)
    assert all(award.units > 0 for award in awards)
