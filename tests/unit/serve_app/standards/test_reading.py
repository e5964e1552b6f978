from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest

from serve_app.http.problems import Problem
from serve_app.standards.reading import decoded, exact, joined, rounded_hundredths


class Inner(msgspec.Struct):
    name: str


class Outer(msgspec.Struct):
    items: list[Inner]
    source: str


DECODER = msgspec.json.Decoder(Outer)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"{}", "items"),
        (b'{"items": []}', "source"),
        (b'{"items": [{"name": "a"}, {}], "source": "x"}', "items[1].name"),
        (b'{"items": [{"name": 1}], "source": "x"}', "items[0].name"),
        (b"[]", ""),
    ],
)
def test_what_is_missing_or_wrong_is_named(body: bytes, path: str) -> None:
    with pytest.raises(Problem) as caught:
        decoded(DECODER, body, 400)
    assert (caught.value.status, caught.value.code) == (400, "invalid")
    assert [error.path for error in caught.value.errors] == [path]


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"[" * 10_000, b'{"items": "\xff"}'])
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        decoded(DECODER, body)
    assert (caught.value.status, caught.value.code) in ((400, "malformed"), (422, "invalid"))


def test_paths_are_joined() -> None:
    assert [joined("", "a"), joined("a", ""), joined("a", "b"), joined("a", "[0]")] == ["a", "a", "a.b", "a[0]"]


@pytest.mark.parametrize(
    ("number", "hundredths"),
    [
        (0.125, 13),  # halves away from zero, of the decimal as it was written:
        (-0.125, -13),
        (1.005, 101),  # as a double it is below
        (2.675, 268),
        (0.1 + 0.2, 30),
        (99_999_999.99, 9_999_999_999),
        (1e-300, 0),
        (-0.0, 0),
    ],
)
def test_numbers_are_rounded_once_as_they_were_written(number: float, hundredths: int) -> None:
    assert rounded_hundredths(exact(number)) == hundredths


@pytest.mark.parametrize("score", [Fraction(10**8), Fraction(-(10**8)), exact(1e308)])
def test_what_no_score_can_be_is_an_error(score: Fraction) -> None:
    with pytest.raises(ValueError, match="from -99999999"):
        rounded_hundredths(score)
