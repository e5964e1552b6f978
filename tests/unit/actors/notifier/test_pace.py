"""A second's worth at once, the rate on the average."""

from __future__ import annotations

from actors.notifier.pace import Pace
from tests.support.notifying import Clock


async def test_the_average_is_the_rate() -> None:
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    for _ in range(5):
        await pace.take(10)
    assert clock.slept_s == [1, 1, 1, 1]
    clock.now_ms += 60_000  # a long rest saves nothing up
    await pace.take(10)
    await pace.take(1)
    assert clock.slept_s[4:] == [1]


async def test_a_clock_that_is_set_back_stops_nobody() -> None:
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    await pace.take(10)
    clock.now_ms -= 86_400_000
    await pace.take(10)
    assert clock.slept_s == []
