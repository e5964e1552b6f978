"""`custom`: functions of whoever runs this Palio. The process that starts registers them by name; here they are only called.

A function takes a result and the tournament's options, both as read from JSON, and returns the score: an int or a Decimal, or a pair of
these, the second of which is the subscore. It must be deterministic: recovery replays results, and every replay must come to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from actors.domain.errors import InvalidRecordError, ResultError
from actors.domain.messages.scoring import Custom
from actors.domain.values import MAX_HUNDREDTHS

Number = int | Decimal
Function = Callable[[dict[str, Any], dict[str, Any]], Number | tuple[Number, Number]]

_registered: dict[str, Function] = {}
_HUNDREDTH: Final = Decimal("0.01")
_LARGEST: Final = Decimal(MAX_HUNDREDTHS) / 100


def register(functions: Mapping[str, Function]) -> None:
    """Have these, and only these, from now on: once, when a process starts."""
    _registered.clear()
    _registered.update(functions)


def function_problem(scoring: Custom) -> str:
    """What keeps this process from scoring by it, empty if nothing does."""
    if scoring.function in _registered:
        return ""
    known = ", ".join(sorted(_registered)) or "none"
    return f"no scoring function {scoring.function!r} is registered here; registered: {known}"


def score_custom(scoring: Custom, result: dict[str, Any]) -> tuple[int, int | None]:
    """(score, subscore or None) in hundredths, rounded half away from zero.

    Raises ResultError for what the function refuses (by ValueError) or answers wrongly, InvalidRecordError `scoring_unknown` where
    it is not registered.
    """
    function = _registered.get(scoring.function)
    if function is None:
        raise InvalidRecordError("scoring_unknown", function_problem(scoring))
    return call(function, result, dict(scoring.options))


def call(function: Function, result: dict[str, Any], options: dict[str, Any]) -> tuple[int, int | None]:
    """What a function makes of a result, as `score_custom`. Raises ResultError."""
    try:
        answer: object = function(result, options)
    except ValueError as error:  # the function's way to refuse
        raise ResultError("", str(error)[:200]) from error
    except Exception as error:
        raise ResultError("", f"the scoring function failed: {type(error).__name__}") from error
    if isinstance(answer, tuple) and len(answer) == 2:
        return _hundredths(answer[0]), _hundredths(answer[1])
    return _hundredths(answer), None


def _hundredths(number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise ResultError("", f"expected an int or a Decimal of the scoring function, got {type(number).__name__}")
    exact = Decimal(number)
    if not exact.is_finite() or abs(exact) > _LARGEST:
        raise ResultError("", "expected a number from -99999999.99 to 99999999.99 of the scoring function")
    return int(exact.quantize(_HUNDREDTH, ROUND_HALF_UP).scaleb(2))  # half up of the magnitude: away from zero
