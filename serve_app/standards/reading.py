"""What the readers of the standards share: errors that name the field, and numbers of any precision as hundredths."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeVar

import msgspec

from actors.domain.scoring.rounding import half_away
from actors.domain.values import MAX_HUNDREDTHS
from serve_app.http.bodies import field_error, malformed
from serve_app.http.problems import FieldError, Problem

T = TypeVar("T")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")


def decoded(decoder: msgspec.json.Decoder[T], body: bytes, status: int = 422) -> T:
    """A body. Raises Problem: 400 `malformed` for what is no JSON, `status` `invalid` with the path of the first wrong field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise wrong([named_error(error)], status) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(error) from error


def named_error(error: msgspec.ValidationError) -> FieldError:
    """msgspec's message with the path of the field; of a missing one, its own."""
    found = field_error(error)
    matched = _MISSING.fullmatch(found.message)
    if matched is None:
        return found
    return FieldError(joined(found.path, matched[1]), "expected this field")


def joined(path: str, name: str) -> str:
    """The path of a field within another."""
    if not path or not name:
        return path or name
    return path + name if name.startswith("[") else f"{path}.{name}"


def wrong(errors: list[FieldError], status: int = 422) -> Problem:
    """Fields that are wrong, by the status that a standard has for them."""
    detail = "; ".join(f"{error.path or 'body'}: {error.message}" for error in errors[:3])
    return Problem(status, "invalid", detail, errors)


def exact(number: float) -> Fraction:
    """A JSON number as it was written, as far as a double tells it: its shortest decimal."""
    return Fraction(Decimal(repr(number)))


def rounded_hundredths(score: Fraction) -> int:
    """A score in hundredths, rounded once, half away from zero: 0.125 is 0.13, -0.125 is -0.13. Raises ValueError beyond the largest score."""
    hundredths = half_away(score.numerator * 100, score.denominator)
    if abs(hundredths) > MAX_HUNDREDTHS:
        raise ValueError("expected a score from -99999999.99 to 99999999.99")
    return hundredths
