from __future__ import annotations

import pytest

from serve_app.http.problems import Problem
from serve_app.http.query import MAX_QUERY_FIELDS, query_int, read_query


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"limit=5&me", {"limit": "5", "me": ""}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"name=a+b%20c", {"name": "a b c"}),
        (b"%6cimit=%35", {"limit": "5"}),
        (b"name=J%C3%BCrgen", {"name": "Jürgen"}),
        (b"name=%ff", {"name": "\ufffd"}),
        (b"name=%ed%a0%80", {"name": "\ufffd\ufffd\ufffd"}),
        (b"name=\xfc", {"name": "ü"}),
        (b"=x", {"": "x"}),
        (b"a=b=c", {"a": "b=c"}),
    ],
)
def test_fields_are_read(raw: bytes, fields: dict[str, str]) -> None:
    assert read_query(raw) == fields


@pytest.mark.parametrize("raw", [b"a=1&a=1", b"a=1&b=2&%61=3", b"=&="])
def test_a_field_comes_once(raw: bytes) -> None:
    with pytest.raises(Problem) as caught:
        read_query(raw)
    assert (caught.value.status, caught.value.code) == (422, "invalid")


def test_a_long_name_is_not_told_whole() -> None:
    name = b"x" * 5000
    with pytest.raises(Problem) as caught:
        read_query(name + b"&" + name)
    assert caught.value.errors[0].path == "x" * 40
    assert len(caught.value.detail) < 200


def test_the_number_of_fields_is_bounded() -> None:
    full = b"&".join(b"a%d=1" % n for n in range(MAX_QUERY_FIELDS))
    assert len(read_query(full)) == MAX_QUERY_FIELDS
    with pytest.raises(Problem) as caught:
        read_query(full + b"&more=1")
    assert (caught.value.status, caught.value.code) == (400, "malformed")


@pytest.mark.parametrize(("text", "number"), [(None, 50), ("1", 1), ("100", 100), ("007", 7)])
def test_an_integer_of_the_query(text: str | None, number: int) -> None:
    assert query_int({} if text is None else {"limit": text}, "limit", 50, 1, 100) == number


@pytest.mark.parametrize("text", ["0", "101", "", "x", "-1", "+1", "1e1", " 1", "1_0", "\u0661", "9" * 5000])
def test_what_is_no_integer_within_the_bounds_is_422(text: str) -> None:
    with pytest.raises(Problem) as raised:
        query_int({"limit": text}, "limit", 50, 1, 100)
    assert (raised.value.status, raised.value.errors[0].path) == (422, "limit")
