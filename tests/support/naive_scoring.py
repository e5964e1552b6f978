"""What a result comes to, in fractions and by the letter of docs/scoring.md: shares nothing with `actors.domain.scoring`.

`score_of` gives (score, subscore or None) in hundredths, or None for a submission that does not fit. Random submissions fit, or miss in
the ways that are told apart here: a wrong part, an unknown name.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from tests.support.submissions import Sent

PROBLEMS = ("A", "B", "C")
FORMS: dict[str, tuple[set[str], set[str]]] = {
    "keyed": ({"answers"}, set()),
    "penalty": ({"problems"}, set()),
    "speed": ({"time_s"}, {"correct"}),
}
KEY = {"q1": "A", "q2": ["B", "C"], "q3": "D"}


def whole(value: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    sign = -1 if value < 0 else 1
    return sign * int(abs(value) + Fraction(1, 2))


def exact(number: float) -> Fraction:
    return Fraction(repr(number))


def score_of(spec: dict[str, Any], sent: Sent) -> tuple[int, int | None] | None:
    scoring, second = spec.get("scoring"), "subscore" in spec
    computes = scoring is not None and scoring["kind"] in ("speed", "penalty")
    if (scoring is None) != (sent.result is None):
        return None
    if sent.subscore is not None and (computes or not second):
        return None
    if second and sent.subscore is None and not computes:
        return None
    if scoring is None:
        assert sent.score is not None
        return sent.score, sent.subscore
    assert sent.result is not None
    needed, more = FORMS.get(scoring["kind"], (set(), set()))
    if scoring["kind"] in FORMS and not needed <= sent.result.keys() <= needed | more:
        return None
    computed = globals()[f"_{scoring['kind']}"](scoring, sent.result)
    if computed is None:
        return None
    score, subscore = computed
    for bound, choose in (("floor", max), ("cap", min)):
        if bound in scoring:
            score = choose(score, whole(exact(scoring[bound]) * 100))
    if not second:
        return score, None
    return score, subscore if computes else sent.subscore


def _weighted(scoring: dict[str, Any], result: dict[str, Any]) -> tuple[int, None] | None:
    if not result or result.keys() - scoring["fields"].keys():
        return None
    total = sum((exact(scoring["fields"][name]) * exact(value) for name, value in result.items()), Fraction(0))
    return whole(total * 100), None


def _keyed(scoring: dict[str, Any], result: dict[str, Any]) -> tuple[int, None] | None:
    if result["answers"].keys() - scoring["key"].keys():
        return None
    total = Fraction(0)
    for question, right in scoring["key"].items():
        answer = result["answers"].get(question)
        good = answer is not None and (answer in right if isinstance(right, list) else answer == right)
        which = "skipped" if answer is None else "points" if good else "wrong"
        total += exact(scoring.get(which, 1 if which == "points" else 0))
    return whole(total * 100), None


def _speed(scoring: dict[str, Any], result: dict[str, Any]) -> tuple[int, int]:
    taken = exact(result["time_s"])
    begin, end = exact(scoring.get("from_s", 0)), exact(scoring["to_s"])
    points, least = exact(scoring["points"]), exact(scoring.get("least", 0))
    late = min(max((taken - begin) / (end - begin), Fraction(0)), Fraction(1))
    score = points - (points - least) * late if result.get("correct", True) else Fraction(0)
    return whole(score * 100), whole(taken * 100)


def _penalty(scoring: dict[str, Any], result: dict[str, Any]) -> tuple[int, int] | None:
    if "problems" in scoring and result["problems"].keys() - set(scoring["problems"]):
        return None
    solved = [each for each in result["problems"].values() if each.get("minutes") is not None]
    per_wrong = scoring.get("wrong_minutes", 20)
    return 100 * len(solved), 100 * sum(each["minutes"] + per_wrong * each.get("wrong", 0) for each in solved)


def random_scores(r: Random) -> dict[str, Any]:
    """`scoring`, `subscore`, `boards` and `teams` of a spec, mostly none."""
    fields: dict[str, Any] = {}
    if r.random() < 0.4:
        fields["scoring"] = r.choice(
            [
                {"kind": "weighted", "fields": {"correct": 2, "wrong": -0.5, "bonus": 0.125}, "floor": -1},
                {"kind": "weighted", "fields": {"correct": 0.3333}, "cap": 2},
                {"kind": "keyed", "key": KEY, "points": 1.5, "wrong": -0.25},
                {"kind": "speed", "points": 10, "least": 2.5, "from_s": 1, "to_s": 8},
                {"kind": "penalty", "wrong_minutes": 5, "problems": list(PROBLEMS)},
            ]
        )
    if r.random() < 0.4 or fields.get("scoring", {}).get("kind") == "penalty":
        fields["subscore"] = {"order": r.choice(["desc", "asc"])}
    if r.random() < 0.4:
        fields["boards"] = r.choice([["country"], ["team"], ["country", "team"]])
        if "team" in fields["boards"] and r.random() < 0.7:
            fields["teams"] = r.choice([{"score": "sum"}, {"score": "best_mean", "best": 2}])
    return fields


def random_submission(r: Random, fields: dict[str, Any], user: int, event_id: str) -> Sent:
    """A submission to a tournament of `random_scores`, which fits it mostly."""
    kind = fields["scoring"]["kind"] if "scoring" in fields else "plain"
    subscore = r.randint(0, 3) * 50 if "subscore" in fields and kind not in ("speed", "penalty") else None
    if r.random() < 0.05:
        subscore = None if subscore is not None else 100
    if r.random() < 0.05:
        kind = r.choice(["plain", "weighted", "keyed"])
    if kind == "plain":
        return Sent(user, event_id, r.randint(-3, 3) * 50, subscore, None)
    return Sent(user, event_id, None, subscore, _random_result(r, kind))


def _random_result(r: Random, kind: str) -> dict[str, Any]:
    if kind == "weighted":
        names = r.sample(["correct", "wrong", "bonus", "correkt"] if r.random() < 0.1 else ["correct"], 1)
        return {name: r.randint(0, 20) / 2 for name in [*names, *r.sample(["wrong", "bonus"], r.randint(0, 1))]}
    if kind == "keyed":
        questions = r.sample(["q1", "q2", "q3", "q4"] if r.random() < 0.1 else ["q1", "q2", "q3"], r.randint(0, 3))
        return {"answers": {question: r.choice(["A", "B", "C", "D", None]) for question in questions}}
    if kind == "speed":
        return {"time_s": r.randint(0, 10_000) / 1000, "correct": r.random() < 0.8}
    names = r.sample(["A", "B", "C", "D"] if r.random() < 0.1 else PROBLEMS, r.randint(0, 3))
    return {
        "problems": {name: {"minutes": r.choice([None, r.randint(0, 9)]), "wrong": r.randint(0, 2)} for name in names}
    }
