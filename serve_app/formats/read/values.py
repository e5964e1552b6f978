"""What files write as numbers: with a point or a comma, in per cent, as times. Nothing is taken for what it may not be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, Literal, NamedTuple, get_args

from actors.domain.values import hundredths

Mark = Literal["point", "comma"]
Unit = Literal["points", "time", "currency"]
MARKS: Final[tuple[Mark, ...]] = get_args(Mark)
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
_CHARS: Final = {"point": ".", "comma": ","}
_NUMBER: Final = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)
_CLOCK: Final = re.compile(r"([+-]?)(?:(\d{1,5}):)?(\d{1,5}):(\d{2}(?:\.\d{1,20})?)", re.ASCII)
_CENT: Final = Decimal("0.01")
MAX_SHOWN: Final = 40


class Numbers(NamedTuple):
    """How a file's scores are read. `unit`: that of the tournament; times may be clocks only where it is `time`, and are seconds. `mark`: of
    the decimals. `rounds`: to 2 decimals, half to even; else more of them are an error."""

    unit: Unit = "points"
    mark: Mark = "point"
    rounds: bool = False

    def read(self, value: Any) -> float:
        """A score as the API has it. Raises ValueError that says what was expected."""
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            number = Decimal(str(value))
        else:
            number = self._decimal(value if isinstance(value, str) else json.dumps(value, default=str))
        if not number.is_finite() or abs(number) >= 10**8:
            raise ValueError(f"expected a score from -99999999.99 to 99999999.99, got {str(value)[:MAX_SHOWN]}")
        rounded = number.quantize(_CENT, ROUND_HALF_EVEN)
        if rounded != number and not self.rounds:
            raise ValueError(f"expected at most 2 decimals, got {str(value)[:MAX_SHOWN]}")
        score = float(rounded)
        hundredths(score)
        return score

    def _decimal(self, text: str) -> Decimal:
        shown = text[:MAX_SHOWN]
        plain = text.strip()
        if plain.endswith("%"):
            plain = plain[:-1].rstrip()
        own, other = (_CHARS["comma"], _CHARS["point"]) if self.mark == "comma" else (_CHARS["point"], _CHARS["comma"])
        if own in plain and other in plain:
            raise ValueError(f"expected a number without marks between thousands, got {shown}")
        if other in plain:
            raise ValueError(f"expected a decimal {self.mark}, got {shown}")
        plain = plain.replace(own, ".")
        if clock := _CLOCK.fullmatch(plain):
            if self.unit != "time":
                raise ValueError(f"expected {self.unit}, got a time, {shown}")
            return _seconds(clock, shown)
        if _NUMBER.fullmatch(plain) is None:
            expected = "a number of seconds or a time such as 1:02:50" if self.unit == "time" else "a number"
            raise ValueError(f"expected {expected}, got {shown}")
        return Decimal(plain)


DEFAULT: Final = Numbers()


def guessed_mark(values: Iterable[Any]) -> Mark:
    """The mark of the first text that is a number with one mark; a point if there is none."""
    for value in values:
        if isinstance(value, str):
            marks = [char for char in value if char in ".,"]
            if len(marks) == 1 and any(char.isdigit() for char in value):
                return "comma" if marks[0] == "," else "point"
    return "point"


def _seconds(clock: re.Match[str], shown: str) -> Decimal:
    sign, hours, minutes, seconds = clock.groups()
    if Decimal(seconds) >= 60 or (hours is not None and (int(minutes) >= 60 or len(minutes) != 2)):
        raise ValueError(f"expected a time with less than 60 minutes and seconds such as 1:02:50, got {shown}")
    whole = Decimal(int(hours or 0) * 3600 + int(minutes) * 60) + Decimal(seconds)
    return -whole if sign == "-" else whole
