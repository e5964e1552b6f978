from __future__ import annotations

import base64

import pytest
from sqlalchemy.dialects import mysql, sqlite

from storage.ports import ListQuery
from storage.records.sql.queries import decode_cursor, encode_cursor, list_tournaments, user_tournaments

LARGEST = 2**63 - 1


@pytest.mark.parametrize("position", [(0, 1), (1_800_000_000_000, LARGEST), (-5, 0), (LARGEST, LARGEST)])
def test_a_cursor_comes_back(position: tuple[int, int]) -> None:
    cursor = encode_cursor(*position)
    assert decode_cursor(cursor) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "\u00fc",
        "a" * 100_000,
        encode_cursor(5, 7) + "=",
        encode_cursor(5, 7) + " ",
        packed("5"),
        packed("5.7.9"),
        packed("5.x"),
        packed("05.7"),
        packed("+5.7"),
        packed(" 5.7"),
        packed("5_0.7"),
        packed("\u0665.7"),
        packed(f"{LARGEST + 1}.7"),
        packed(f"5.{-LARGEST - 1}"),
        packed("9" * 5000 + ".7"),
    ],
)
def test_what_is_no_cursor_of_ours_is_an_error(cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor") as caught:
        decode_cursor(cursor)
    assert len(str(caught.value)) < 100
    with pytest.raises(ValueError, match="not a cursor"):
        list_tournaments(ListQuery(cursor=cursor))
    with pytest.raises(ValueError, match="not a cursor"):
        user_tournaments(1, cursor, 10)


def written(query: ListQuery, dialect: object) -> str:
    return str(list_tournaments(query).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", [sqlite.dialect(), mysql.dialect()], ids=["sqlite", "mysql"])
def test_a_page_asks_for_one_row_more_newest_first(dialect: object) -> None:
    text = written(ListQuery(limit=7, cursor=encode_cursor(5, 9)), dialect)
    assert "ORDER BY tournaments.created_ms DESC, tournaments.tournament_id DESC" in text
    assert "8" in text.rpartition("LIMIT")[2]
    assert "tournaments.created_ms <= 5 AND (tournaments.created_ms < 5 OR tournaments.tournament_id < 9)" in text


@pytest.mark.parametrize(
    ("query", "public", "mine"),
    [
        (ListQuery(), True, False),
        (ListQuery(viewer=7), True, True),
        (ListQuery(see_all=True), False, False),
        (ListQuery(see_all=True, viewer=7), False, False),
    ],
)
def test_who_sees_what(query: ListQuery, public: bool, mine: bool) -> None:
    where = written(query, sqlite.dialect()).partition("WHERE")[2]
    assert ("visibility = 'public'" in where) is public
    assert ("user_id = 7" in where) is mine


def test_what_is_searched_for_stands_for_itself() -> None:
    """Its characters have no meaning, and no name holds a NUL."""
    where = written(ListQuery(q="50%_/x"), sqlite.dialect()).partition("WHERE")[2]
    assert "50/%/_//x" in where
    assert "ESCAPE '/'" in where
    assert "LIKE" not in written(ListQuery(q="a\0b"), sqlite.dialect())
    assert where.count("LIKE") == 1
    assert (
        written(ListQuery(q="Stra\u00dfe  \u00c9cole"), sqlite.dialect()).count("LIKE") == 2
    )  # as names were folded before, too
