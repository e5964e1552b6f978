"""Live connections that come and go: how many a second, and what memory of them a gateway keeps.

`python -m scripts.benchmarks.bench_connections`. It starts a Palio of its own with one running tournament, whose scores change all the time.
Clients, in processes of their own, open live sockets in waves, subscribe, get updates for a while and close (one in ten without a close
frame). Memory is the gateway replica's proportional set size (PSS), when no socket is open.

What is kept a connection is how much the memory grows after the first tenth: until then the gateway takes what it needs for as many sockets as
are open at once, and uses it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import psutil

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.contest import set_up
from scripts.benchmarks.harness.live.visits import Place, visit
from scripts.benchmarks.harness.measured_palio import MeasuredPalio, table

CLOSED_WAIT_S = 60.0
BLOCKS = 10
MIB = 1 << 20
HEAD = [
    "connections",
    "gateway before, MiB",
    "after, MiB",
    "bytes a connection",
    "connections a second",
    "MiB of updates",
]


def memory(palio: MeasuredPalio) -> int:
    """The PSS of the gateway's replica in bytes, once it has no live socket any more. Raises TimeoutError."""
    deadline_s = time.monotonic() + CLOSED_WAIT_S
    while (left := round(palio.metric("palio_sockets"))) != 0:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{left} live sockets are still open {CLOSED_WAIT_S:g} s after the last client left")
        time.sleep(0.2)
    [pid] = palio.pids("ray::ServeReplica:gateway")
    return int(psutil.Process(pid).memory_full_info().pss)


def come_and_go(place: Place, options: argparse.Namespace, block: int) -> tuple[int, float]:
    """One block of connections; returns the bytes of updates that the clients got, and seconds."""
    waves = options.connections // BLOCKS // options.sockets
    each = options.sockets // options.clients
    began_s = time.monotonic()
    clients = [
        LoadProcess(
            visit,
            place,
            (block * options.clients + client) * waves,
            waves,
            each,
            options.stay_s,
            0 if client else options.updates,
        )
        for client in range(options.clients)
    ]
    received = sum(client.result(waves * 200.0) for client in clients)
    return received, time.monotonic() - began_s


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--connections", type=int, default=100_000, help="live sockets opened and closed in all (100,000)"
    )
    parser.add_argument("--sockets", type=int, default=1000, help="of them open at once (1,000)")
    parser.add_argument("--clients", type=int, default=2, help="client processes that share them (2)")
    parser.add_argument("--stay-s", type=float, default=0.5, help="seconds that a whole wave stays (0.5)")
    parser.add_argument("--updates", type=float, default=20, help="scores a second meanwhile; 0: no fan-out (20)")
    options = parser.parse_args(argv)
    if options.connections % (BLOCKS * options.sockets) or options.sockets % options.clients:
        parser.error(f"expected --connections as a multiple of {BLOCKS} times --sockets, and that of --clients")
    rows = []
    with MeasuredPalio() as palio:
        contest = set_up(palio, "last", tournaments=1)
        [tournament], [[user, *_]] = contest.tournaments, contest.members
        place = Place(palio.settings.gateway_port, tournament, user, palio.token("service", 1))
        held = [memory(palio)]
        for block in range(BLOCKS):
            received, seconds = come_and_go(place, options, block)
            if options.updates and not received:
                raise RuntimeError("no client got any update")
            held.append(memory(palio))
            made = options.connections // BLOCKS
            rows.append(
                [
                    f"{(block + 1) * made:,}",
                    f"{held[-2] / MIB:.1f}",
                    f"{held[-1] / MIB:.1f}",
                    f"{(held[-1] - held[-2]) / made:,.0f}",
                    f"{made / seconds:,.0f}",
                    f"{received / MIB:,.0f}",
                ]
            )
            progress = dict(zip(HEAD, rows[-1], strict=True))
            print(", ".join(f"{name}: {value}" for name, value in progress.items()), file=sys.stderr, flush=True)
    later = options.connections - options.connections // BLOCKS
    text = (
        f"{table(HEAD, rows)}\n\n"
        f"bytes kept per connection: {(held[-1] - held[1]) / later:,.0f} after the first tenth; from the start, with what "
        f"{options.sockets:,} sockets at once need: {(held[-1] - held[0]) / options.connections:,.0f}"
    )
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
