"""Scores as people read them, in their tournament's unit (`Display`). Pure."""

from __future__ import annotations


def score_text(hundredths: int, unit: str = "points", decimals: int = 2, *, thousands: str = "") -> str:
    """A score with so many decimals, half of the last one rounded up: `912.5`; a time, which is seconds, as `46:54` or `1:02:09.5`.

    `thousands` parts those of points and money: "," or nothing.
    """
    ticks = (abs(hundredths) * 10**decimals + 50) // 100
    whole, rest = divmod(ticks, 10**decimals)
    text = _clock(whole) if unit == "time" else f"{whole:{thousands}}"
    return f"{'-' if hundredths < 0 and ticks else ''}{text}{f'.{rest:0{decimals}}' if decimals else ''}"


def _clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
