"""What a file is taken for, and its rows by that. Whole files are read in test_files.py."""

from __future__ import annotations

import pytest

from serve_app.formats.read import plan as planning
from serve_app.formats.read.mapping import Target
from serve_app.formats.read.plan import Reading, Wishes, plan_of
from serve_app.formats.read.rows import FileRow

ROWS = [
    FileRow(2, {"user": "1", "score": "1,5", "class": "A"}),
    FileRow(3, {"user": "2", "score": "2.5", "class": "B"}),
    FileRow(4, {"user": "1", "score": "1,5", "class": "A"}),
]
SEVEN = Target("7")


def test_what_is_wished_goes_before_what_is_guessed() -> None:
    plan = plan_of("csv", ROWS, Wishes(), SEVEN)
    assert (plan.kind, plan.numbers.mark, plan.numbers.unit, plan.joins) == ("scores", "comma", "points", False)
    wishes = Wishes({"score": "class"}, {"class": "A"}, "joins", "time", "point", rounds=True, joins=True)
    plan = plan_of("csv", ROWS, wishes, SEVEN)
    assert (plan.kind, plan.mapping["score"], plan.where) == ("joins", "class", {"class": "A"})
    assert (plan.numbers.mark, plan.numbers.unit, plan.numbers.rounds, plan.joins) == ("point", "time", True, False)


def test_what_cannot_be_is_told() -> None:
    for rows, wishes, target, told in (
        ([], Wishes(), SEVEN, "expected rows, found none"),
        (ROWS, Wishes(where={"x": "y"}), SEVEN, "x: expected one of the columns user, score, class"),
        (ROWS, Wishes(), None, "no column for tournament_id"),
        (ROWS[:1], Wishes({"user_id": "nobody"}), SEVEN, "user_id=nobody: expected one of the columns"),
    ):
        with pytest.raises(ValueError, match=told):
            plan_of("csv", rows, wishes, target)


def test_rows_become_items_and_the_others_are_told() -> None:
    reading = Reading(plan_of("csv", ROWS, Wishes(), SEVEN))
    made = reading.items(ROWS)
    assert [(line, item.score) for line, item in made] == [(2, 1.5), (4, 1.5)]
    assert reading.rejected == [(3, "score: expected a decimal comma, got 2.5")]
    assert reading.groups == {"class": {"A": 2}, "race": {}, "leg": {}}
    later = Reading(plan_of("csv", ROWS, Wishes(), SEVEN))
    assert later.items(ROWS, from_line=4) == made[1:]  # with the id that it has in the whole file
    assert (later.rejected, later.rows) == ([], 3)


def test_what_is_told_by_line_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SHOWN_REJECTED", 2)
    reading = Reading(plan_of("csv", ROWS, Wishes(), SEVEN))
    reading.items([FileRow(n, {}, "broken") for n in range(1, 6)])
    assert (reading.rejected_count, len(reading.rejected)) == (5, 2)
