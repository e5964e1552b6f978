"""Where the port of a Serve replica listens by which other replicas and the proxy call it: Ray opens it on all addresses of the machine."""

from __future__ import annotations

from typing import Any

import ray
from ray.serve._private import replica


def keep_to_this_node() -> None:
    """Have it opened on the address alone by which Ray knows this node, and its callers reach it. To be called by a replica's constructor."""
    open_port, address = replica.add_port_to_grpc_server, ray.util.get_node_ip_address()
    host = f"[{address}]" if ":" in address else address

    def open_here(server: Any, asked: str) -> int:
        return int(open_port(server, f"{host}:{asked.rpartition(':')[2]}"))

    replica.add_port_to_grpc_server = open_here
