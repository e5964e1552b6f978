from __future__ import annotations

import pytest

from serve_app.http.problems import Problem
from serve_app.http.query import MAX_QUERY_FIELDS, query_int, read_query


def test_a_query_is_read_by_name() -> None:
    assert read_query(b"a=1&b=&c=%2F+x&d=%C3%A9") == {"a": "1", "b": "", "c": "/ x", "d": "\u00e9"}


@pytest.mark.parametrize(
    ("query", "status"), [(b"a=1&a=2", 422), (b"&".join(b"a%d=" % n for n in range(MAX_QUERY_FIELDS + 1)), 400)]
)
def test_a_field_that_comes_twice_and_too_many_are_refused(query: bytes, status: int) -> None:
    with pytest.raises(Problem) as raised:
        read_query(query)
    assert raised.value.status == status


@pytest.mark.parametrize(("text", "number"), [(None, 50), ("1", 1), ("100", 100), ("007", 7)])
def test_an_integer_of_the_query(text: str | None, number: int) -> None:
    assert query_int({} if text is None else {"limit": text}, "limit", 50, 1, 100) == number


@pytest.mark.parametrize("text", ["0", "101", "", "x", "-1", "+1", "1e1", " 1", "1_0", "\u0661", "9" * 5000])
def test_what_is_no_integer_within_the_bounds_is_422(text: str) -> None:
    with pytest.raises(Problem) as raised:
        query_int({"limit": text}, "limit", 50, 1, 100)
    assert (raised.value.status, raised.value.errors[0].path) == (422, "limit")
