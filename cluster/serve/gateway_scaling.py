"""How many gateway replicas: by open sockets and by load. Serve's controller calls it with what the replicas recorded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ray.serve.config import AutoscalingContext

SOCKETS_PER_REPLICA: Final = 0.7  # of the limit: the rest is room for the time that a new replica takes
BUSY_PER_REPLICA: Final = 0.7  # of one core: a gateway replica is one thread


class GatewayScaling:
    """A Serve autoscaling policy; `max_sockets` is a replica's limit. Serve keeps the answer within the configured bounds."""

    def __init__(self, max_sockets: int) -> None:
        self._max_sockets = max_sockets

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        """(replicas wanted, no state)."""
        by_sockets = math.ceil(_total(context, "sockets") / (SOCKETS_PER_REPLICA * self._max_sockets))
        by_load = math.ceil(_total(context, "busy") / BUSY_PER_REPLICA)
        return max(by_sockets, by_load, 1), {}


def _total(context: AutoscalingContext, name: str) -> float:
    """The sum over replicas of what each recorded."""
    by_replica = (context.aggregated_metrics or {}).get(name) or {}
    return float(sum(by_replica.values()))
