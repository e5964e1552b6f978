from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from serve_app.http.bodies import MAX_ERRORS, BodyReader
from serve_app.http.problems import Problem


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    values: list[Annotated[int, msgspec.Meta(ge=0)]]


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    inner: Inner | None = None
    even: int | None = None
    extra: dict[str, Any] = {}


def even(number: int) -> None:
    if number % 2:
        raise ValueError(f"expected an even number, got {number}")


read = BodyReader(Body, {"even": even}).read


def errors(body: bytes) -> tuple[int, dict[str, str]]:
    with pytest.raises(Problem) as caught:
        read(body)
    return caught.value.status, {error.path: error.message for error in caught.value.errors}


def test_a_good_body_is_read() -> None:
    assert read(b'{"name": "a", "even": 4, "inner": {"values": [1]}}') == Body("a", Inner([1]), 4)


def test_paths_lead_into_the_body() -> None:
    status, found = errors(b'{"name": "a", "inner": {"values": [1, -1]}}')
    assert (status, list(found)) == (422, ["inner.values[1]"])


def test_every_problem_is_told_once() -> None:
    status, found = errors(b'{"name": "", "even": 3, "inner": 7, "more": 1}')
    assert status == 422
    assert list(found) == ["more", "name", "inner", "even"]
    assert found["even"] == "expected an even number, got 3"


def test_a_missing_field_is_told() -> None:
    assert errors(b"{}") == (422, {"name": "expected this field"})


@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b'"x"'])
def test_a_body_that_is_no_object_is_422(body: bytes) -> None:
    assert errors(body)[0] == 422


@pytest.mark.parametrize("body", [b"", b"{", b"{]", b'{"name": "a"} x', b"\xff", b'{"name": "a",}'])
def test_a_body_that_is_no_json_is_400(body: bytes) -> None:
    assert errors(body)[0] == 400


def test_numbers_that_are_no_json_are_named() -> None:
    assert errors(b'{"name": "a", "even": NaN}')[0] == 422


def test_numbers_beyond_a_double_are_422() -> None:
    status, found = errors(b'{"name": "a", "extra": {"deep": 1e999}}')
    assert status == 422
    assert found


def test_what_is_told_is_bounded() -> None:
    many = {f"field{n}": n for n in range(200)}
    assert len(errors(msgspec.json.encode({"name": "a", **many}))[1]) == MAX_ERRORS
    long = msgspec.json.encode({"name": "a", "x" * 5000: 1})
    assert all(len(path) < 200 for path in errors(long)[1])
    large = msgspec.json.encode({"name": "", "x": "y" * 100_000})
    assert errors(large)[0] == 422
