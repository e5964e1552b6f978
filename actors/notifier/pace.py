"""How fast a channel may be used: a bucket that holds a second's worth."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Pace:
    """`rate` letters a second on the average, at most as many at once."""

    def __init__(
        self, rate: float, clock_ms: Callable[[], int], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.rate = rate
        self._clock_ms = clock_ms
        self._sleep = sleep
        self._free_ms = 0.0  # from when on the next letter may go

    async def take(self, letters: int) -> None:
        """Wait until so many may go."""
        now = self._clock_ms()
        behind_ms = self._free_ms - now
        if not 0 < behind_ms <= 3_600_000:  # also after a clock that was set back
            self._free_ms, behind_ms = float(now), 0.0
        self._free_ms += 1000 * letters / self.rate
        if behind_ms > 0:
            await self._sleep(behind_ms / 1000)
