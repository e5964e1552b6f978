"""What is wrong is named, also where names are free."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from actors.domain.messages.wrong_fields import wrong_field

Label = Annotated[str, msgspec.Meta(min_length=1, max_length=70)]


class Part(msgspec.Struct):
    minutes: int | None = None


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    parts: Annotated[dict[Label, Part], msgspec.Meta(min_length=1)] | None = None
    words: dict[str, Label | list[Label]] | None = None
    listed: list[Whole] | None = None
    number: float = 0


MANY = {f"p{n}": {"minutes": n} for n in range(50)}


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"number": "1"}, "number", "Expected `float`, got `str`"),
        ({"parts": 5}, "parts", "Expected `object | null`, got `int`"),
        ({"parts": {}}, "parts", "Expected `object` of length >= 1"),
        ([], "", "Expected `object`, got `array`"),
        ({"parts": {**MANY, "p7": {"minutes": 1.5}}}, "parts.p7.minutes", "Expected `int | null`, got `float`"),
        ({"parts": {**MANY, "p7": {"minutes": 1.5}}, "number": "1"}, "parts.p7.minutes", "Expected `int | null`, got `float`"),
        ({"parts": {**MANY, "p3": 1, "p7": 1}}, "parts.p3", "Expected `object`, got `int`"),
        ({"parts": {"a": {}, "x" * 71: {}}}, "parts." + "x" * 64, "Expected `str` of length <= 70"),
        ({"parts": {"a": {}, "": {}}}, "parts.", "Expected `str` of length >= 1"),
        ({"words": {"q1": "a", "q2": ["b", ""]}}, "words.q2[1]", "Expected `str` of length >= 1"),
        ({"listed": [{}, {"words": {"q1": "a", "q2": 5}}]}, "listed[1].words.q2", "Expected `str | array`, got `int`"),
    ],
)  # fmt: skip
def test_it_is_named(value: Any, path: str, message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, Whole)
    assert wrong_field(caught.value, value, Whole) == (path, message)


def test_without_the_value_the_path_is_as_msgspec_tells_it() -> None:
    for value, path in (
        ({"parts": {"a": 1}}, "parts[...]"),
        ({"parts": {"": {}}}, "parts"),
        ({"number": ""}, "number"),
    ):
        with pytest.raises(msgspec.ValidationError) as caught:
            msgspec.convert(value, Whole)
        assert wrong_field(caught.value)[0] == path
    assert wrong_field(msgspec.ValidationError("nothing of a path")) == ("", "nothing of a path")
