"""Prize rules: what is wrong with one is told with its field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.domain.prizes.rules import PrizeRule, PrizeRules, rule_problem, rules_problems

MONEY = {"amount": "100.01", "currency": "EUR"}


def rule(**fields: Any) -> PrizeRule:
    return msgspec.convert(fields, PrizeRule)


@pytest.mark.parametrize(
    ("fields", "units", "what"),
    [
        ({"ranks": [1, 2], **MONEY}, 10001, ("EUR", "")),
        ({"ranks": [3], "amount": "5", "currency": "JPY"}, 5, ("JPY", "")),
        ({"top_percent": 12.5, **MONEY, "ties": "each"}, 10001, ("EUR", "")),
        ({"min_score": -3.25, "item": "mug"}, 1, ("", "mug")),
        ({"ranks": [1, 1], "item": "mug", "count": 3, "claim": True, "ties": "next"}, 3, ("", "mug")),
    ],
)
def test_good_rules(fields: dict[str, Any], units: int, what: tuple[str, str]) -> None:
    made = rule(**fields)
    assert rule_problem(made) == ("", "")
    assert (made.units, made.what) == (units, what)
    assert msgspec.json.decode(msgspec.json.encode(made), type=PrizeRule) == made


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({**MONEY}, "ranks"),
        ({"ranks": [1, 2], "top_percent": 5, **MONEY}, "top_percent"),
        ({"top_percent": 5, "min_score": 5, **MONEY}, "min_score"),
        ({"ranks": [2, 1], **MONEY}, "ranks"),
        ({"top_percent": 0.001, **MONEY}, "top_percent"),
        ({"min_score": 0.001, **MONEY}, "min_score"),
        ({"ranks": [1]}, "amount"),
        ({"ranks": [1], "amount": "5"}, "currency"),
        ({"ranks": [1], "currency": "EUR"}, "amount"),
        ({"ranks": [1], "amount": "5", "currency": "XXX"}, "currency"),
        ({"ranks": [1], "amount": "5.001", "currency": "EUR"}, "amount"),
        ({"ranks": [1], **MONEY, "count": 2}, "count"),
        ({"ranks": [1], "item": "mug", "currency": "EUR"}, "currency"),
    ],
)
def test_what_is_wrong_names_its_field(fields: dict[str, Any], field: str) -> None:
    assert rule_problem(rule(**fields))[0] == field
    assert rules_problems([rule(ranks=[1], **MONEY), rule(**fields)])[0][0] == f"prizes[1].{field}"


@pytest.mark.parametrize(
    "fields",
    [
        {"ranks": [], **MONEY},
        {"ranks": [0, 1], **MONEY},
        {"ranks": [1, 2, 3], **MONEY},
        {"ranks": [1, 1_000_001], **MONEY},
        {"top_percent": 0, **MONEY},
        {"top_percent": 100.5, **MONEY},
        {"ranks": [1], "item": ""},
        {"ranks": [1], "item": "mug", "count": 0},
        {"ranks": [1], **MONEY, "ties": "half"},
        {"ranks": [1], "amount": 100.01, "currency": "EUR"},
        {"ranks": [1], "amount": "1", "currency": "eur"},
        {"ranks": [1], **MONEY, "winner": 4},
    ],
)
def test_types_refuse_the_rest(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        rule(**fields)


def test_a_board_must_be_one_of_the_tournament() -> None:
    by_country = [rule(ranks=[1], board="country", **MONEY)]
    assert rules_problems(by_country, ["country"]) == []
    assert [path for path, _ in rules_problems(by_country, ["team"])] == ["prizes[0].board"]


def test_there_are_at_most_a_hundred() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert([{"ranks": [1], **MONEY}] * 101, PrizeRules)
