"""What a scoring must keep, and what is shown of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.domain.messages.scoring import Scoring
from actors.domain.scoring.rules import MAX_SCORING_BYTES, scoring_problems, shown_scoring

decode = msgspec.json.Decoder(Scoring).decode


def fields(scoring: dict[str, Any]) -> list[str]:
    return [field for field, _ in scoring_problems(decode(msgspec.json.encode(scoring)))]


GOOD: list[dict[str, Any]] = [
    {"kind": "weighted", "fields": {"correct": 2, "wrong": -0.5}},
    {"kind": "weighted", "fields": {"a": 0.0001}, "floor": 0, "cap": 0},
    {"kind": "keyed", "key": {"q1": "B", "q2": ["A", "C"]}, "points": 2.5, "wrong": -0.25},
    {"kind": "speed", "points": 1000, "to_s": 20},
    {"kind": "speed", "points": 1000, "least": -5, "from_s": 0.001, "to_s": 0.002},
    {"kind": "penalty"},
    {"kind": "penalty", "wrong_minutes": 0, "problems": ["A", "B"]},
    {"kind": "custom", "function": "mine", "options": {"x": [1]}},
]


@pytest.mark.parametrize("scoring", GOOD)
def test_a_good_one_has_no_problem_and_comes_back_as_it_was_written(scoring: dict[str, Any]) -> None:
    assert fields(scoring) == []
    assert msgspec.json.decode(msgspec.json.encode(decode(msgspec.json.encode(scoring)))) == scoring


@pytest.mark.parametrize(
    ("scoring", "wrong"),
    [
        ({"kind": "weighted", "fields": {"a": 0.00001}}, ["fields.a"]),
        ({"kind": "weighted", "fields": {"a": 2e6}, "floor": 0.001}, ["fields.a", "floor"]),
        ({"kind": "weighted", "fields": {"a": 1}, "floor": 2, "cap": 1}, ["cap"]),
        ({"kind": "keyed", "key": {"a": "b"}, "points": 0.001}, ["points"]),
        ({"kind": "keyed", "key": {f"q{n:063}": "x" * 200 for n in range(100)}}, [""]),
        ({"kind": "speed", "points": 1, "least": 2, "to_s": 1}, ["least"]),
        ({"kind": "speed", "points": 1, "from_s": 2, "to_s": 2}, ["to_s"]),
        ({"kind": "speed", "points": 1, "from_s": -1, "to_s": 2}, ["from_s"]),
        ({"kind": "speed", "points": 1, "to_s": 0.0001}, ["to_s", "to_s"]),
        ({"kind": "penalty", "problems": ["A", "A"]}, ["problems"]),
        ({"kind": "custom", "function": "mine", "options": {"x": "y" * MAX_SCORING_BYTES}}, [""]),
    ],
)
def test_what_breaks_a_rule_names_the_field(scoring: dict[str, Any], wrong: list[str]) -> None:
    assert fields(scoring) == wrong


@pytest.mark.parametrize(
    "scoring",
    [
        {"kind": "magic"}, {"fields": {"a": 1}}, {"kind": "weighted"}, {"kind": "weighted", "fields": {}},
        {"kind": "weighted", "fields": {"": 1}}, {"kind": "weighted", "fields": {"a": "1"}}, {"kind": "keyed", "key": {}},
        {"kind": "keyed", "key": {"a": []}}, {"kind": "speed", "points": 1}, {"kind": "penalty", "wrong_minutes": -1},
        {"kind": "custom"}, {"kind": "weighted", "fields": {"a": 1}, "flor": 0},
    ],
)  # fmt: skip
def test_what_is_no_scoring_at_all(scoring: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(msgspec.json.encode(scoring))


def test_of_a_key_only_its_length_is_shown() -> None:
    keyed = decode(msgspec.json.encode(GOOD[2]))
    assert shown_scoring(keyed) == {"kind": "keyed", "questions": 2, "points": 2.5, "wrong": -0.25}
    assert shown_scoring(decode(msgspec.json.encode(GOOD[0]))) == GOOD[0]
