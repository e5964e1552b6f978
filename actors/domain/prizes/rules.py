"""The rules of a tournament's prizes: which places win what, and what a tie does. The contract's words are the spec's, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from actors.domain.prizes.money import units_of
from actors.domain.values import hundredths

MAX_RULES: Final = 100
MAX_PLACES: Final = 1_000_000  # that one rule by rank may name
MAX_COUNT: Final = 1_000_000  # of an item, for one place
MAX_ITEM_CHARS: Final = 200

Place = Annotated[int, Meta(ge=1, le=MAX_PLACES)]


class PrizeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wins (one of `ranks`, `top_percent`, `min_score`) what (an `amount` of a `currency`, or `count` of an `item`), for each place.

    `ranks`: the first and the last place, or one place. `top_percent`: of those with a score, rounded up. `min_score`: all whose score is
    at least as good. `board`: the places within each group of this attribute. `claim`: paid once the winner asks for it. Without
    `ties` it is `split`: see `actors.domain.prizes.allocation`.
    """

    ranks: Annotated[tuple[Place, ...], Meta(min_length=1, max_length=2)] | UnsetType = UNSET
    top_percent: Annotated[float, Meta(gt=0, le=100)] | UnsetType = UNSET
    min_score: Annotated[float, Meta(ge=-99_999_999.99, le=99_999_999.99)] | UnsetType = UNSET
    amount: Annotated[str, Meta(min_length=1, max_length=21)] | UnsetType = UNSET
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | UnsetType = UNSET
    item: Annotated[str, Meta(min_length=1, max_length=MAX_ITEM_CHARS)] | UnsetType = UNSET
    count: Annotated[int, Meta(ge=1, le=MAX_COUNT)] | UnsetType = UNSET
    ties: Literal["split", "each", "next"] = "split"
    board: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    claim: bool | UnsetType = UNSET

    @property
    def units(self) -> int:
        """What one place wins: of the currency's smallest unit, or of the item."""
        if isinstance(self.amount, str) and isinstance(self.currency, str):
            return units_of(self.amount, self.currency)
        return 1 if self.count is UNSET else self.count

    @property
    def what(self) -> tuple[str, str]:
        """(currency, item), one of them empty: shares of the same can be added up."""
        return (self.currency or "", self.item or "")


PrizeRules = Annotated[tuple[PrizeRule, ...], Meta(max_length=MAX_RULES)]


def rule_problem(rule: PrizeRule) -> tuple[str, str]:
    """(field, what was expected) of the first thing that is wrong with a rule, or empty texts: what its types do not say."""
    winners = [name for name in ("ranks", "top_percent", "min_score") if getattr(rule, name) is not UNSET]
    if len(winners) != 1:
        return winners[1] if winners else "ranks", "expected one of ranks, top_percent and min_score"
    if rule.ranks is not UNSET and rule.ranks[0] > rule.ranks[-1]:
        return "ranks", "expected the first place, then the last"
    for name in ("top_percent", "min_score"):
        value = getattr(rule, name)
        if value is not UNSET:
            try:
                hundredths(value)
            except ValueError as error:
                return name, str(error)
    return _thing_problem(rule)


def _thing_problem(rule: PrizeRule) -> tuple[str, str]:
    money = [name for name in ("amount", "currency") if getattr(rule, name) is not UNSET]
    if rule.item is not UNSET:
        return (money[0], "not a field of a prize that is an item") if money else ("", "")
    if rule.count is not UNSET:
        return "count", "not a field of a prize of money"
    if rule.amount is UNSET:
        return "amount", "expected an amount and a currency, or an item"
    if rule.currency is UNSET:
        return "currency", "expected the currency of the amount"
    try:
        units_of(rule.amount, rule.currency)
    except ValueError as error:
        return "currency" if "currency of" in str(error) else "amount", str(error)
    return "", ""


def rules_problems(rules: Sequence[PrizeRule], boards: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(path, what was expected) of all rules: `prizes[2].amount`. `boards` are those that the tournament has."""
    problems = []
    for number, rule in enumerate(rules):
        field, message = rule_problem(rule)
        if field:
            problems.append((f"prizes[{number}].{field}", message))
        elif rule.board is not UNSET and rule.board not in boards:
            problems.append((f"prizes[{number}].board", "expected one of the tournament's boards"))
    return problems
