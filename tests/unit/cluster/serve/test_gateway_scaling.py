from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cluster.serve.gateway_scaling import GatewayScaling


def wanted(metrics: dict[str, dict[str, float]] | None) -> int:
    context: Any = SimpleNamespace(aggregated_metrics=metrics)
    replicas, state = GatewayScaling(max_sockets=1000)(context)
    assert state == {}
    return replicas


@pytest.mark.parametrize(
    ("sockets", "busy", "replicas"),
    [
        ([0], [0.0], 1),
        ([700], [0.7], 1),
        ([701], [0.1], 2),
        ([400, 301], [0.1, 0.1], 2),
        ([2100], [0.0], 3),
        ([0], [0.71], 2),
        ([100, 100], [0.9, 0.9], 3),
        ([1500], [0.9], 3),  # whichever asks for more
    ],
)
def test_replicas_follow_from_sockets_and_load_of_all(sockets: list[int], busy: list[float], replicas: int) -> None:
    def reported(values: Any) -> dict[str, float]:
        return {f"replica-{number}": float(value) for number, value in enumerate(values)}

    assert wanted({"sockets": reported(sockets), "busy": reported(busy)}) == replicas


@pytest.mark.parametrize("metrics", [None, {}, {"sockets": {}}, {"busy": {"replica-0": 0.0}}])
def test_before_anything_was_recorded_one_is_enough(metrics: dict[str, dict[str, float]] | None) -> None:
    assert wanted(metrics) == 1
