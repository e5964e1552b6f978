"""Deliveries a CPU-second to many live sockets, the gateway against `websockets.broadcast`; and the memory of idle sockets.

`python -m scripts.benchmarks.bench_fanout`. Both servers run in processes of their own, pinned to one core, with the
clients' process on another; they take
turns, and get the same payloads. CPU time is the server process's, user and system. The gateway's includes everything from the
updates port on: position check, framing, ring, metrics. Memory is resident bytes, before and after the sockets come, Python's heap alone: the
kernel's buffers are not in it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import selectors
import socket
import statistics
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from scripts.benchmarks.harness.fanout_servers import PAYLOAD_BYTES, gateway, websockets_broadcast
from scripts.benchmarks.harness.live_socket import HANDSHAKE, TEXT, client_frame, subscription

FRAME_BYTES = PAYLOAD_BYTES + 4  # a header of 4 bytes for 126 to 65,535
GOAL_RATIO, GOAL_BYTES = 1.4, 20_000


class Contender:
    """A server's process and its clients'."""

    def __init__(self, name: str, serve: Callable[..., None], *, subscribes: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.progress = context.Value("q", 0)
        self._pipe, theirs = context.Pipe()
        self._server = context.Process(target=serve, args=(theirs, 0, self.progress), daemon=True)
        self._server.start()
        self._port, self._tournament = self._pipe.recv()
        self._subscribes = subscribes
        self._clients: list[Any] = []

    def connect(self, sockets: int) -> None:
        """Have a process open this many sockets more, and wait until they are all open."""
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        subscription = self._tournament if self._subscribes else 0
        process = context.Process(
            target=clients, args=(theirs, self._port, sockets, subscription, self.progress), daemon=True
        )
        process.start()
        theirs.close()  # so that its end is noticed
        mine.recv()
        self._clients.append(process)

    def cpu_s(self, updates: int, sockets: int) -> float:
        """The server's CPU seconds for sending `updates` to all `sockets`."""
        self._pipe.send((updates, sockets))
        return float(self._pipe.recv())

    def memory(self) -> int:
        """The server's resident bytes."""
        self._pipe.send("memory")
        return int(self._pipe.recv())

    def stop(self) -> None:
        """End its processes."""
        for process in self._clients:
            process.kill()
            process.join()
        self._pipe.send("stop")
        self._server.join(10)
        if self._server.is_alive():
            self._server.kill()


def clients(pipe: Connection, port: int, sockets: int, tournament: int, progress: Any) -> None:
    """Open sockets, subscribe, then read and count whole frames until killed."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[1 % len(cores)]})
    opened = [_open(port, tournament) for _ in range(sockets)]
    pipe.send("open")
    selector = selectors.EpollSelector()
    for one in opened:
        one.setblocking(False)
        selector.register(one, selectors.EVENT_READ)
    buffer = bytearray(1 << 16)
    received = frames = 0
    while True:
        for key, _ in selector.select():
            received += key.fileobj.recv_into(buffer)  # type: ignore[union-attr]
        if received // FRAME_BYTES > frames:
            with progress.get_lock():
                progress.value += received // FRAME_BYTES - frames
            frames = received // FRAME_BYTES


def _open(port: int, tournament: int) -> socket.socket:
    """A socket after its handshake, and with a tournament after its snapshot."""
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(HANDSHAKE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += one.recv(1)
    if tournament:
        one.sendall(client_frame(TEXT, subscription(str(tournament))))
        for expected in (b'"ok":true', b'"snapshot"'):
            frame = _frame(one)
            if expected not in frame:
                raise RuntimeError(f"expected {expected!r}, got {frame[:200]!r}")
    return one


def _frame(one: socket.socket) -> bytes:
    size = one.recv(2, socket.MSG_WAITALL)[1]
    if size == 126:
        size = int.from_bytes(one.recv(2, socket.MSG_WAITALL))
    return one.recv(size, socket.MSG_WAITALL)


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=500, help="sockets that updates go to (500)")
    parser.add_argument("--updates", type=int, default=400, help="updates a turn (400)")
    parser.add_argument("--turns", type=int, default=5, help="turns of each server (5)")
    parser.add_argument("--idle", type=int, default=5000, help="idle sockets for the memory; 0 leaves it out (5000)")
    options = parser.parse_args(argv)
    kinds: list[tuple[str, Callable[..., None], bool]] = [
        ("gateway", gateway, True),
        ("websockets.broadcast", websockets_broadcast, False),
    ]
    contenders = [Contender(name, serve, subscribes=subscribes) for name, serve, subscribes in kinds]
    rates: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    memory: dict[str, float] = {}
    try:
        for contender in contenders:
            contender.connect(options.sockets)
            contender.cpu_s(50, options.sockets)  # warm
        for _ in range(options.turns):
            for contender in contenders:
                used_s = contender.cpu_s(options.updates, options.sockets)
                rates[contender.name].append(options.updates * options.sockets / used_s)
        for contender in contenders if options.idle else ():
            before = contender.memory()
            contender.connect(options.idle)
            memory[contender.name] = (contender.memory() - before) / options.idle
    finally:
        for contender in contenders:
            contender.stop()
    table = _table(options, rates, memory)
    print(table)
    return table


def _table(options: argparse.Namespace, rates: dict[str, list[float]], memory: dict[str, float]) -> str:
    ours, theirs = rates["gateway"], rates["websockets.broadcast"]
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    lines = [
        f"Deliveries a CPU-second to {options.sockets} sockets, {FRAME_BYTES} bytes a frame, {options.turns} turns of "
        f"{options.updates} updates each; idle memory at {options.idle} sockets more, one subscription each (aims: "
        f"{GOAL_RATIO} times, {GOAL_BYTES:,} bytes).",
        "",
        "| server | deliveries/CPU-s: median | least | most | bytes an idle socket |",
        "|---|---|---|---|---|",
    ]
    for name, values in rates.items():
        held = f"{memory[name]:,.0f}" if name in memory else "-"
        lines.append(
            f"| {name} | {statistics.median(values):,.0f} | {min(values):,.0f} | {max(values):,.0f} | {held} |"
        )
    lines.append(f"| ratio (median of turns) | {ratio:.2f} | | | |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
