"""Which column is what, and rows as scores and joins; the ids of events are the same however often a file is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.formats.read.mapping import Item, LeftOutError, RowError, RowMaker, Target, guess
from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.values import Numbers
from serve_app.standards.foreign_ids import ForeignIds

SEVEN = Target("7")
PLAIN = {"user_id": "user", "score": "score"}


def scores(rows: list[dict[str, Any]], mapping: dict[str, str] = PLAIN) -> list[Item]:
    maker = RowMaker("scores", mapping, SEVEN)
    return [maker.make(FileRow(line, row)) for line, row in enumerate(rows, start=2)]


def guessed(columns: list[str], given: dict[str, str] | None = None, **more: Any) -> dict[str, str]:
    return guess([FileRow(2, dict.fromkeys(columns, "1"))], given or {}, **more)


@pytest.mark.parametrize(
    ("columns", "mapping"),
    [
        ("User ID,Total,Display Name", {"user_id": "User ID", "score": "Total", "name": "Display Name"}),
        ("id,user,score", {"user_id": "user", "score": "score"}),
        ("id,points,grade", {"user_id": "id", "score": "points"}),
        ("tournament_id,user_id,event_id,score,subscore", None),
        ("bib,seconds", {"user_id": "bib", "score": "seconds"}),
        ("runner,pace", {}),
    ],
)
def test_columns_are_guessed_by_their_names(columns: str, mapping: dict[str, str] | None) -> None:
    names = columns.split(",")
    assert guessed(names) == (mapping if mapping is not None else {name: name for name in names})


def test_what_is_given_goes_before_what_is_guessed() -> None:
    assert guessed(["user", "score", "points"], {"score": "points"}) == {"user_id": "user", "score": "points"}
    assert guessed(["user", "score"], {"name": "user"}) == {"score": "score", "name": "user"}
    assert guessed(["user", "result"], {"result": "result"}) == {"user_id": "user", "result": "result"}
    with pytest.raises(ValueError, match="score=x: expected one of the columns user, y"):
        guessed(["user", "y"], {"score": "x"})


def test_the_user_is_the_first_column_that_holds_ids() -> None:
    rows = [FileRow(2, {"SIS User ID": "s-42", "ID": "901", "Essay (1)": "5"})]
    assert guess(rows, {})["user_id"] == "ID"
    ids = ForeignIds(users={"s-42": "7"})
    mapping = guess(rows, {}, format_name="canvas", ids=ids)
    assert mapping == {"user_id": "SIS User ID", "score": "Essay (1)"}
    assert RowMaker("scores", mapping, SEVEN, ids=ids).make(rows[0]).user_id == "7"
    assert guess([FileRow(2, {"user": "x", "player": ""})], {})["user_id"] == "user"


def test_what_the_tournament_is_decides_what_its_score_is() -> None:
    columns = ["person_id", "score", "time", "subscore"]
    assert guessed(columns)["score"] == "score"
    assert guessed(columns, target=Target("7", unit="time"))["score"] == "time"
    assert "subscore" not in guessed(columns, target=Target("7", subscored=False))
    row = FileRow(2, {"score": "", "time": "5"})
    assert guess([row], {})["score"] == "time"  # the other is empty


def test_names_and_groups_are_those_of_a_join() -> None:
    target = Target("7", boards=("country", "team"))
    row = FileRow(
        2, {"user": "5", "score": "1", "name": "Ann", "board_country": "FR", "board_team": "", "board_x": "y"}
    )
    mapping = {**PLAIN, "name": "name"}
    item = RowMaker("scores", mapping, target, joins=True).make(row)
    assert (item.name, item.groups) == ("Ann", {"country": "FR"})
    assert RowMaker("scores", mapping, target).make(row)[2:4] == (None, None)
    nameless = FileRow(2, {**row.fields, "name": "5"})  # as exports show who has no name
    assert RowMaker("scores", mapping, target, joins=True).make(nameless).name is None
    with pytest.raises(RowError, match="name: expected 1 to 64 characters, got 70"):
        RowMaker("joins", mapping, target).make(FileRow(2, {**row.fields, "name": "n" * 70}))


def test_rows_that_are_left_out_are_no_mistakes() -> None:
    maker = RowMaker("scores", PLAIN, SEVEN, blanks=True, where={"class": "A"}, numbers=Numbers("time"))
    for fields, left_out, why in (
        ({"user": "1", "score": "", "class": "A"}, "", "no score"),
        ({"user": "", "score": "", "class": "A"}, "", "no score"),
        ({"user": "1", "score": "5", "class": "A"}, "DidNotFinish", "DidNotFinish"),
        ({"user": "1", "score": "5", "class": "B"}, "", "class is another"),
    ):
        with pytest.raises(LeftOutError, match=why):
            maker.make(FileRow(2, fields, left_out=left_out))
    assert maker.make(FileRow(2, {"user": "1", "score": "1:02", "class": "A"})).score == 62


def test_a_row_is_a_score_or_a_join() -> None:
    (score,) = scores([{"user": "42", "score": "-5.25"}])
    assert (score.tournament_id, score.user_id, score.score) == ("7", "42", -5.25)
    mapping = {"tournament_id": "t", "user_id": "user", "result": "r", "event_id": "e", "subscore": "s"}
    (score,) = scores([{"t": 9, "user": 1, "r": '{"time_s": 2}', "e": "x", "s": 1.5}], mapping)
    assert (score.tournament_id, score.result, score.event_id, score.subscore) == ("9", {"time_s": 2}, "x", 1.5)
    maker = RowMaker("joins", {"user_id": "user", "name": "n"}, SEVEN)
    assert maker.make(FileRow(2, {"user": "5", "n": ""})) == Item("7", "5")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"user": "", "score": "1"}, "user_id: expected a number from 1 to 2.63-1, got nothing"),
        ({"user": "x", "score": "1"}, "got x"),
        ({"user": "0", "score": "1"}, "got 0"),
        ({"user": "1", "score": ""}, "expected a score"),
        ({"user": "1"}, "expected a score"),
        ({"user": "1", "score": "12,5"}, "score: expected a decimal point, got 12,5"),
        ({"user": "1", "score": "1.005"}, "score: expected .* 2 decimals"),
        ({"user": "1", "score": "nan"}, "score: expected a number, got nan"),
        ({"user": "1", "score": float("nan")}, "score: expected a score from"),
        ({"user": "1", "score": "1_000"}, "score: expected a number"),
        ({"user": "1", "score": "1:02:50"}, "score: expected points, got a time, 1:02:50"),
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
        RowMaker("scores", PLAIN, SEVEN).make(FileRow(2, {}, "no CSV"))


def test_columns_that_are_missing_are_named() -> None:
    with pytest.raises(ValueError, match="no column for score: expected --map score=COLUMN"):
        RowMaker("scores", {"user_id": "u"}, SEVEN)
    with pytest.raises(ValueError, match="no column for user_id"):
        RowMaker("joins", {}, SEVEN)
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
