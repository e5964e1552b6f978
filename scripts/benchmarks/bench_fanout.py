"""Deliveries a CPU-second to many live sockets, the gateway against `websockets.broadcast`; and the memory of idle sockets.

`python -m scripts.benchmarks.bench_fanout`. Both servers run in processes of their own, pinned to one core, with the
clients' process on another; they take
turns, and get the same payloads. CPU time is the server process's, user and system. The gateway's includes everything from the
updates port on: position check, framing, ring, metrics. Memory is resident bytes, before and after the sockets come, Python's heap alone: the
kernel's buffers are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

from scripts.benchmarks.harness.client_process import LoadProcess, tell
from scripts.benchmarks.harness.fanout_servers import PAYLOAD_BYTES, gateway, pin, websockets_broadcast
from scripts.benchmarks.harness.http_load import HOST
from scripts.benchmarks.harness.live.socket import Subscriber

FRAME_BYTES = PAYLOAD_BYTES + 4  # a header of 4 bytes for 126 to 65,535
OPEN_S = 120.0
GOAL_RATIO, GOAL_BYTES = 1.4, 20_000


class Contender:
    """A server's process and its clients'."""

    def __init__(self, name: str, serve: Callable[..., None], *, subscribes: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.progress = context.Value("q", 0)
        self._pipe, theirs = context.Pipe()
        self._server = context.Process(target=serve, args=(theirs, self.progress), daemon=True)
        self._server.start()
        self._port, self._tournament = self._pipe.recv()
        self._subscribes = subscribes
        self._clients: list[LoadProcess] = []

    def connect(self, sockets: int) -> None:
        """Have a process open this many sockets more, and wait until they are all open."""
        tournament = str(self._tournament) if self._subscribes else ""
        self._clients.append(LoadProcess(clients, self._port, sockets, tournament, self.progress))
        self._clients[-1].wait_for("open", OPEN_S)

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
        self._pipe.send("stop")
        self._server.join(10)
        if self._server.is_alive():
            self._server.kill()


class _Reader(Subscriber):
    """Counts whole frames: after the snapshot, and of the server that knows no tournaments after the handshake."""

    frames = 0

    def on_open(self) -> None:
        """Subscribe, where there is anything to subscribe to."""
        if self._tournament:
            super().on_open()
        else:
            self.watching.set_result(None)

    def on_update(self, payload: bytes) -> None:  # noqa: ARG002 - they are counted
        """One more."""
        self.frames += 1


async def clients(port: int, sockets: int, tournament: str, progress: Any) -> None:
    """Open sockets, subscribe, then read and count whole frames until killed."""
    pin(1)
    readers = [_Reader(tournament) for _ in range(sockets)]
    for reader in readers:
        await asyncio.get_running_loop().create_connection(lambda reader=reader: reader, HOST, port)  # type: ignore[misc]
    await asyncio.gather(*(reader.watching for reader in readers))
    tell("open")
    told = 0
    while True:
        await asyncio.sleep(0.001)
        frames = sum(reader.frames for reader in readers)
        if frames > told:
            with progress.get_lock():
                progress.value += frames - told
            told = frames


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
