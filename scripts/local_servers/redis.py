"""A Redis Cluster on loopback: three primaries with a replica each.

All ask for a password, which is made once in the directory; data is kept in an append-only file, so that a server killed and started
again has what it had. Memory is bounded, and nothing is evicted: a full server refuses writes and goes on reading.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from scripts.local_servers.base import (
    HOST,
    ServerError,
    ensure_program,
    launch,
    wait_for_answer,
    wait_until,
    write_private,
)

MAX_MEMORY: Final = "256mb"  # of each server
PRIMARIES: Final = 3
NODES: Final = 6
SLOTS: Final = 16384
# A primary silent for so long is replaced by its replica, some 2 s after it fell silent (measured: 1.9-2.7 s).
NODE_TIMEOUT_MS: Final = 1000
BUS_OFFSET: Final = 10  # the port of a node's cluster bus: by default 10,000 higher, which may lie beyond the last port
ANSWER_S: Final = 5.0


class RedisClusterServer:
    """Six nodes on the ports from `first_port` on, their buses on the ports BUS_OFFSET higher (16 ports in all), named `redis-cluster-<n>`."""

    name = "redis-cluster"

    def install(self) -> None:
        """See `Server.install`."""
        ensure_program("redis-server", "redis-server")

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        """See `Server.start`; returns `urls` and `password`. Nodes that were killed are started again; the cluster is formed once."""
        password = password_of(directory)
        ports = list(range(first_port, first_port + NODES))
        for number in range(NODES):
            self.start_one(directory, first_port, number)
        for number, port in enumerate(ports):
            wait_for_answer(directory, f"{self.name}-{number}", partial(loaded, port, password), 30)
        if "cluster_known_nodes:1\r" in ask(first_port, password, ["CLUSTER", "INFO"]):
            _form(ports, password)
        wait_until(lambda: all(_settled(port, password) for port in ports), "the Redis cluster to be formed", 45)
        return {"urls": [f"redis://{HOST}:{port}" for port in ports], "password": password, "cluster": True}

    def start_one(self, directory: Path, first_port: int, number: int) -> None:
        """Start one node (again) on what data it has; does not wait."""
        options = [
            *("--cluster-enabled", "yes"),
            *("--cluster-config-file", "nodes.conf"),
            *("--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
            *("--cluster-port", str(first_port + number + BUS_OFFSET)),
            # a replica that was cut off may still take over: what it lacks is written again by its owners
            *("--cluster-replica-validity-factor", "0"),
            *("--cluster-require-full-coverage", "no"),
            *("--repl-diskless-sync-delay", "0"),
        ]
        name = f"{self.name}-{number}"
        start_node(directory, name, first_port + number, password_of(directory), options)


def start_node(directory: Path, name: str, port: int, password: str, options: Sequence[str]) -> int:
    """Start one server with its data in `<directory>/<name>`; returns its pid."""
    home = directory / name
    home.mkdir(parents=True, exist_ok=True)
    config = home / "redis.conf"
    # the password stands in a file that only its owner reads, never on the command line
    write_private(config, f"requirepass {password}\nmasterauth {password}\n")
    command = [
        *(ensure_program("redis-server", "redis-server"), str(config)),
        *("--bind", HOST, "--port", str(port), "--dir", str(home)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory", MAX_MEMORY, "--maxmemory-policy", "noeviction"),
        *("--lazyfree-lazy-server-del", "yes"),
        *options,
    ]
    return launch(directory, name, command)


def ask(port: int, password: str, command: Sequence[str]) -> str:
    """A command's answer as text, as it stands on the wire. Raises OSError; ServerError for an error that Redis answers."""
    with socket.create_connection((HOST, port), timeout=ANSWER_S) as connection, connection.makefile("rb") as answers:
        for words in (["AUTH", password], command):
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            line = answers.readline()
            if line.startswith(b"-"):
                raise ServerError(f"Redis on port {port} answered {words[0]} with {line.decode().strip()}")
        if line.startswith(b"$"):
            return answers.read(int(line[1:])).decode()
        return line.decode()


def _form(ports: Sequence[int], password: str) -> None:
    """Make single nodes a cluster: slots for the first ones, each of the others a replica of one of them."""
    share = SLOTS / PRIMARIES
    for number, port in enumerate(ports[:PRIMARIES]):
        first, last = round(number * share), round((number + 1) * share) - 1
        ask(port, password, ["CLUSTER", "ADDSLOTSRANGE", str(first), str(last)])
    for epoch, port in enumerate(ports, 1):
        ask(port, password, ["CLUSTER", "SET-CONFIG-EPOCH", str(epoch)])
    for port in ports[1:]:
        ask(port, password, ["CLUSTER", "MEET", HOST, str(ports[0]), str(ports[0] + BUS_OFFSET)])
    known = f"cluster_known_nodes:{NODES}\r"
    wait_until(
        lambda: all(known in ask(port, password, ["CLUSTER", "INFO"]) for port in ports), "the nodes to meet", 30
    )
    for number, port in enumerate(ports[PRIMARIES:]):
        primary = ask(ports[number], password, ["CLUSTER", "MYID"]).strip()
        # a node hears of another's slots a moment after it knows the node
        wait_until(partial(_replicates, port, password, primary), f"port {port} to follow its primary", 15)


def _replicates(port: int, password: str, primary: str) -> bool:
    try:
        return ask(port, password, ["CLUSTER", "REPLICATE", primary]).startswith("+OK")
    except ServerError:
        return False


def _settled(port: int, password: str) -> bool:
    """Whether a node sees all slots served and, where it is a replica, is attached."""
    info = ask(port, password, ["CLUSTER", "INFO"])
    if (
        "cluster_state:ok" not in info
        or f"cluster_slots_ok:{SLOTS}\r" not in info
        or f"cluster_size:{PRIMARIES}\r" not in info
    ):
        return False
    replication = ask(port, password, ["INFO", "replication"])
    return "role:master" in replication or "master_link_status:up" in replication


def loaded(port: int, password: str) -> bool:
    """Whether it answers, all its data read. Raises OSError, ServerError."""
    try:
        return ask(port, password, ["PING"]).startswith("+PONG")
    except ServerError as error:
        if "LOADING" in str(error):
            return False
        raise


def password_of(directory: Path) -> str:
    """The password of this directory's servers, made once."""
    path = directory / "redis.password"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        write_private(path, secrets.token_hex(16))
    return path.read_text(encoding="utf-8").strip()
