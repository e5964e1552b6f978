"""Which column is what, and rows as scores and joins; the ids of events are the same however often a file is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.cli.importing.mapping import RowError, RowMaker, guess
from scripts.cli.importing.readers import FileRow
from scripts.client.palio_client import Join, Score

PLAIN = {"user_id": "user", "score": "score"}


def scores(rows: list[dict[str, Any]], mapping: dict[str, str] = PLAIN) -> list[Score]:
    maker = RowMaker("scores", mapping, "7")
    found = [maker.make(FileRow(line, row)) for line, row in enumerate(rows, start=2)]
    assert all(isinstance(each, Score) for each in found)
    return [each for each in found if isinstance(each, Score)]


@pytest.mark.parametrize(
    ("columns", "mapping"),
    [
        ("User ID,Total,Display Name", {"user_id": "User ID", "score": "Total", "name": "Display Name"}),
        ("id,user,score", {"user_id": "user", "score": "score"}),
        ("id,points,grade", {"user_id": "id", "score": "points"}),
        ("tournament_id,user_id,event_id,score,subscore", None),
        ("bib,seconds", {}),
    ],
)
def test_columns_are_guessed_by_their_names(columns: str, mapping: dict[str, str] | None) -> None:
    names = columns.split(",")
    assert guess(names, {}) == (mapping if mapping is not None else {name: name for name in names})


def test_what_is_given_goes_before_what_is_guessed() -> None:
    assert guess(["user", "score", "points"], {"score": "points"}) == {"user_id": "user", "score": "points"}
    assert guess(["user", "score"], {"name": "user"}) == {"score": "score", "name": "user"}
    assert guess(["user", "result"], {"result": "result"}) == {"user_id": "user", "result": "result"}
    with pytest.raises(ValueError, match="--map score=x: expected one of the columns user, y"):
        guess(["user", "y"], {"score": "x"})


def test_a_row_is_a_score_or_a_join() -> None:
    (score,) = scores([{"user": "42", "score": "-5.25"}])
    assert (score.tournament_id, score.user_id, score.score) == ("7", "42", -5.25)
    mapping = {"tournament_id": "t", "user_id": "user", "result": "r", "event_id": "e", "subscore": "s"}
    (score,) = scores([{"t": 9, "user": 1, "r": '{"time_s": 2}', "e": "x", "s": 1.5}], mapping)
    assert (score.tournament_id, score.result, score.event_id, score.subscore) == ("9", {"time_s": 2}, "x", 1.5)
    maker = RowMaker("joins", {"user_id": "user", "name": "n"}, "7")
    assert maker.make(FileRow(2, {"user": "5", "n": ""})) == Join(tournament_id="7", user_id="5")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"user": "", "score": "1"}, "user_id: expected a number from 1 to 2.63-1, got nothing"),
        ({"user": "x", "score": "1"}, "got x"),
        ({"user": "0", "score": "1"}, "got 0"),
        ({"user": "1", "score": ""}, "expected a score"),
        ({"user": "1"}, "expected a score"),
        ({"user": "1", "score": "12,5"}, "score: expected a number, got 12,5"),
        ({"user": "1", "score": "1.005"}, "score: expected .* 2 decimals"),
        ({"user": "1", "score": "nan"}, "score: expected"),
        ({"user": "1", "score": True}, "score: expected a number"),
        ({"user": "1", "score": [1]}, "score: expected a number"),
        ({"user": "1", "score": 1e9}, "score: expected"),
        ({"user": "1", "score": 1, "event": "x" * 65}, "event_id: expected at most 64 characters, got 65"),
        ({"user": "1", "result": "{"}, "result: expected JSON"),
        ({"user": "1", "result": "[1]"}, "result: expected a JSON object"),
        ({"user": "1", "score": 1, "result": {"a": 1}}, "either a score or a result"),
    ],
)
def test_a_row_that_is_no_score_says_why(row: dict[str, Any], told: str) -> None:
    mapping = {**PLAIN, "event_id": "event", "result": "result"}
    with pytest.raises(RowError, match=told):
        scores([row], mapping)
    with pytest.raises(RowError, match="no CSV"):
        RowMaker("scores", PLAIN, "7").make(FileRow(2, {}, "no CSV"))


def test_columns_that_are_missing_are_named() -> None:
    with pytest.raises(ValueError, match="no column for score: expected --map score=COLUMN"):
        RowMaker("scores", {"user_id": "u"}, "7")
    with pytest.raises(ValueError, match="no column for user_id"):
        RowMaker("joins", {}, "7")
    with pytest.raises(ValueError, match="expected --tournament ID"):
        RowMaker("joins", {"user_id": "u"}, None)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=12), st.randoms())
def test_made_event_ids_are_those_of_the_row_whatever_the_order(pairs: list[tuple[int, int]], random: Any) -> None:
    rows = [{"user": str(user), "score": str(score)} for user, score in pairs]
    ids = sorted(score.event_id for score in scores(rows))
    assert len(set(ids)) == len(rows)  # rows that say the same are several
    shuffled = random.sample(rows, len(rows))
    assert sorted(score.event_id for score in scores(shuffled)) == ids
    longer = [score.event_id for score in scores([*rows, {"user": "9", "score": "1"}])]
    assert sorted(longer[:-1]) == ids
    assert all(len(each) <= 64 for each in ids)
