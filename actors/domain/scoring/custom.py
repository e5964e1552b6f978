"""`custom`: functions of whoever runs this Palio. The process that starts registers them by name; here they are only called.

A function takes a result and the tournament's options, both as read from JSON, and returns the score: an int or a Decimal, or a pair of
these, the second of which is the subscore. It must be deterministic: recovery replays results, and every replay must come to the same.

So that one that does not come to an end holds up nobody, it has a number of steps, not a time: a step is a line that it runs or a call of a
function of Python, and of these every replay takes as many. What it does within one step (a pattern of `re`, a sleep) nothing here can bound;
the process that registers it watches that.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from types import FrameType
from typing import Any, Final

from actors.domain.errors import InvalidRecordError, ResultError
from actors.domain.messages.scoring import Custom
from actors.domain.values import MAX_HUNDREDTHS

Number = int | Decimal
Function = Callable[[dict[str, Any], dict[str, Any]], Number | tuple[Number, Number]]

MAX_STEPS: Final = 1_000_000  # about a second
_registered: dict[str, Function] = {}
_HUNDREDTH: Final = Decimal("0.01")
_LARGEST: Final = Decimal(MAX_HUNDREDTHS) / 100


class _TooManySteps(BaseException):
    """No Exception, so that a function's own handlers do not take it."""


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
    return call(function, result, copy.deepcopy(scoring.options))  # it may change what it is given


def call(function: Function, result: dict[str, Any], options: dict[str, Any]) -> tuple[int, int | None]:
    """What a function makes of a result, as `score_custom`. Raises ResultError."""
    try:
        answer = _within_steps(function, result, options)
    except _TooManySteps:
        raise ResultError("", f"the scoring function took more than {MAX_STEPS} steps") from None
    except ValueError as error:  # the function's way to refuse
        raise ResultError("", str(error)[:200]) from error
    except (Exception, SystemExit) as error:
        raise ResultError("", f"the scoring function failed: {type(error).__name__}") from error
    if isinstance(answer, tuple) and len(answer) == 2:
        return _hundredths(answer[0]), _hundredths(answer[1])
    return _hundredths(answer), None


def _within_steps(function: Function, result: dict[str, Any], options: dict[str, Any]) -> object:
    """The answer. Raises _TooManySteps, and what the function raises."""
    left = MAX_STEPS

    def count(_frame: FrameType, _event: str, _value: object) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooManySteps
        return count

    before = sys.gettrace()  # a debugger's, or of who measures coverage
    sys.settrace(count)
    try:
        return function(result, options)
    finally:
        sys.settrace(before)


def _hundredths(number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise ResultError("", f"expected an int or a Decimal of the scoring function, got {type(number).__name__}")
    exact = Decimal(number)
    if not exact.is_finite() or abs(exact) > _LARGEST:
        raise ResultError("", "expected a number from -99999999.99 to 99999999.99 of the scoring function")
    return int(exact.quantize(_HUNDREDTH, ROUND_HALF_UP).scaleb(2))  # half up of the magnitude: away from zero
