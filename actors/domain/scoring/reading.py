"""Reading a result as the kind of a tournament's scoring has it."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from actors.domain.errors import ResultError
from actors.domain.messages.wrong_fields import wrong_field

T = TypeVar("T")


def read_result(result: object, kind: type[T]) -> T:
    """The result, a JSON value, as this Struct. Raises ResultError, which names the field."""
    try:
        return msgspec.convert(result, kind)
    except msgspec.ValidationError as error:
        raise ResultError(*wrong_field(error, result, kind)) from None
