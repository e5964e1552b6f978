"""A clock for bounds in time that hold on a calm machine: it slows down while processes wait for a processor."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

PRESSURE: Final = Path(
    "/proc/pressure/cpu"
)  # Linux's pressure stall information; without it the clock is the usual one
SLOWEST: Final = 0.1  # of the usual speed, while something waits all the time: so that a test ends


def calm_s() -> float:
    """Seconds since some moment; only differences mean something."""
    now_s = time.monotonic()
    try:
        some = PRESSURE.read_text().splitlines()[0]
    except OSError:
        return now_s
    return now_s - (1 - SLOWEST) * int(some.rpartition("total=")[2]) / 1e6
