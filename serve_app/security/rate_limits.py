"""How often a caller may call: a token bucket each, for each process of an entrypoint.

The bucket is the generic cell rate algorithm (ITU-T I.371, "virtual scheduling"), which keeps one number a caller: the time
at which its bucket is full again.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from serve_app.config import FrontConfig
from serve_app.http.messages import Principal
from serve_app.http.problems import Problem

_ROUNDING_S: Final = 1e-6  # sums of intervals are not exact: a burst of n must let n through


class Buckets:
    """One bucket a key: `rate` a second, `burst` at once. At most `max_keys` are kept, the least recently used is forgotten."""

    def __init__(
        self, rate: float, burst: int, max_keys: int, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s = 1 / rate
        self._tolerance_s = (burst - 1) / rate + _ROUNDING_S
        self._max_keys = max_keys
        self._monotonic_s = monotonic_s
        self._full_at_s: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at_s)

    def take(self, key: str) -> float:
        """Take one request; 0.0, or the seconds to wait for the next one."""
        now_s, kept = self._monotonic_s(), self._full_at_s
        full_at_s = max(kept.get(key, now_s), now_s)
        wait_s = full_at_s - now_s - self._tolerance_s
        kept[key] = full_at_s if wait_s > 0 else full_at_s + self._interval_s
        kept.move_to_end(key)
        if len(kept) > self._max_keys:
            kept.popitem(last=False)
        return wait_s if wait_s > 0 else 0.0


class Limiter:
    """The limits of the contract: by user for callers with a token (by role), by address for those without."""

    def __init__(self, config: FrontConfig) -> None:
        entries = config.rate_limit_entries
        self._players = Buckets(config.player_rate, config.player_burst, entries)
        self._services = Buckets(config.service_rate, config.service_burst, entries)
        self._addresses = Buckets(config.anonymous_rate, config.anonymous_burst, entries)

    def check(self, principal: Principal | None, client: str) -> None:
        """Count one request. Raises Problem 429 with `Retry-After`."""
        if principal is None:
            wait_s = self._addresses.take(client or "unknown")
        elif principal.privileged:
            wait_s = self._services.take(f"{principal.role}:{principal.user_id}")
        else:
            wait_s = self._players.take(str(principal.user_id))
        if wait_s > 0:
            seconds = max(1, math.ceil(wait_s))
            raise Problem(
                429,
                "rate_limited",
                f"too many requests; try again in {seconds} s",
                headers={"retry-after": str(seconds)},
            )
