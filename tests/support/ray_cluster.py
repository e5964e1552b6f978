"""Several Ray nodes on this machine, for tests and benchmarks of Palio on a cluster: `python -m tests.support.ray_cluster COUNT`.

Prints one JSON object {"address": "host:port", "nodes": [pid of each node's raylet]}, the head first, and lives until its standard input ends;
the nodes end with it. A node that died is replaced on the line `add`, which prints {"pid": ...}.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

# A dead node is noticed in some 2 s, where Ray's own settings take 15 s or more.
ENVIRONMENT: Final = {
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "3",
    "RAY_health_check_initial_delay_ms": "1000",
}
OBJECT_STORE_BYTES: Final = 80 * 1024 * 1024


def main(count: int) -> None:
    """See the module."""
    from cluster.startup.ray_environment import RAY_ENVIRONMENT

    os.environ.update(RAY_ENVIRONMENT | ENVIRONMENT)
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"num_cpus": 2, "object_store_memory": OBJECT_STORE_BYTES}
    quiet = {"include_dashboard": False, "no_monitor": True, "include_log_monitor": False}
    cluster = Cluster(initialize_head=True, head_node_args={**node, **quiet})
    nodes = [cluster.head_node, *(cluster.add_node(**node, include_log_monitor=False) for _ in range(count - 1))]
    print(json.dumps({"address": cluster.address, "nodes": [_raylet(each) for each in nodes]}), flush=True)
    for line in sys.stdin:
        if line.strip() == "add":
            print(json.dumps({"pid": _raylet(cluster.add_node(**node, include_log_monitor=False))}), flush=True)
    cluster.shutdown()


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


if __name__ == "__main__":
    main(int(sys.argv[1]))
