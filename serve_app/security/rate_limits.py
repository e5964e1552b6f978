"""How often a caller may call: a token bucket each (GCRA, the same in one number), per process of the front.

The buckets are throttled-py's, in its memory store: bounded, the least recently used caller is forgotten. A call there costs
about 8 us, so callers with high rates take credit in blocks of a hundredth of a second's worth.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from datetime import timedelta
from typing import Final

from throttled.rate_limiter import GCRARateLimiter, per_duration
from throttled.store import MemoryStore

from serve_app.config import FrontConfig
from serve_app.http.problems import Problem
from serve_app.security.auth import Principal

_PERIOD_S: Final = 1000  # throttled-py counts whole seconds and whole requests: this keeps rates to a thousandth


class Buckets:
    """One bucket a key: `rate` a second, `burst` at once, at most `max_keys` kept."""

    def __init__(self, rate: float, burst: int, max_keys: int) -> None:
        quota = per_duration(timedelta(seconds=_PERIOD_S), max(1, round(rate * _PERIOD_S)), burst)
        self._limiter = GCRARateLimiter(quota, MemoryStore(options={"MAX_SIZE": max_keys}))
        self._block = max(1, min(int(rate), burst) // 100)
        self._credit: OrderedDict[str, int] = OrderedDict()
        self._max_keys = max_keys

    def take(self, key: str) -> float:
        """Take one request; 0.0, or the seconds to wait for the next one."""
        credit = self._credit.get(key, 0)
        if credit:
            self._credit[key] = credit - 1
            return 0.0
        block = self._block
        result = self._limiter.limit(key, block)
        if result.limited and block > 1:
            block = 1
            result = self._limiter.limit(key)
        if result.limited:
            return max(float(result.state.retry_after), 0.001)
        if block > 1:
            self._credit[key] = block - 1
            self._credit.move_to_end(key)
            if len(self._credit) > self._max_keys:
                self._credit.popitem(last=False)
        return 0.0


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
