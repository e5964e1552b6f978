"""The hub's bounds and intervals."""

from __future__ import annotations

from dataclasses import dataclass

from serve_app.config import FrontConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLimits:
    """Bounds and intervals; see `cluster/config/settings.py`. `keep_s`: how long a topic is kept when nobody watches it any more."""

    max_sockets: int = 5000
    max_sockets_per_address: int = 5000
    max_topics: int = 20_000
    slow_timeout_s: float = 30
    check_interval_s: float = 5
    check_grace_s: float = 0.25
    keep_s: float = 10
    owner_calls: int = 64

    @classmethod
    def of(cls, config: FrontConfig) -> HubLimits:
        """What the front's configuration says of them."""
        return cls(
            max_sockets=config.max_sockets,
            max_sockets_per_address=config.max_sockets_per_address,
            check_interval_s=config.position_check_s,
        )
