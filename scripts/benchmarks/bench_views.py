"""Views a CPU-second: `GET /v1/tournaments/{id}` (20 rows) from the gateway and from the api.

`python -m scripts.benchmarks.bench_views`. It starts a Palio of its own with 200 running tournaments of 20 members,
who have scores. The load comes
from a process that is not counted, over keep-alive connections, without a token. CPU time is that of the entrypoint's processes: the gateway's
replica, or the api's; and, beside it, of all of Palio's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.contest import Contest, batched_scores, set_up
from scripts.benchmarks.harness.http_load import Load, closed_loop, percentile, request
from scripts.benchmarks.harness.measured_palio import MeasuredPalio, table


class Case(NamedTuple):
    """One row: `busy` beside it scores are applied all the time; `roles` are the entrypoint's processes."""

    name: str
    entrypoint: str
    roles: tuple[str, ...]
    clients: int
    goal: int


CASES = [
    Case("gateway, 64 clients", "gateway", ("gateway",), 64, 15_000),
    Case("api, 64 clients", "api", ("api",), 64, 0),
]


async def views(port: int, contest: Contest, clients: int, duration_s: float) -> Load:
    """The load, in the client's process: all tournaments in turn."""
    requests = cycle([request("GET", f"/v1/tournaments/{tournament}") for tournament in contest.tournaments])
    return await closed_loop(port, clients, lambda: next(requests), duration_s)


async def scores(port: int, contest: Contest, token: str, batches: int) -> Load:
    """Give the members scores."""
    make = batched_scores(contest, token, 500, 1)
    load = Load()
    for _ in range(batches):
        load.statuses += (await closed_loop(port, 1, make, 0)).statuses
    return load


def measure(palio: MeasuredPalio, case: Case, contest: Contest, duration_s: float) -> list[str]:
    """A row of the table."""
    port = palio.settings.gateway_port if case.entrypoint == "gateway" else palio.settings.port
    LoadProcess(views, port, contest, case.clients, 1.0).result(60)
    before = palio.cpu_s()
    met: Load = LoadProcess(views, port, contest, case.clients, duration_s).result(duration_s + 60)
    used = palio.cpu_s() - before
    if met.statuses.keys() != {200}:
        raise RuntimeError(f"{case.name}: not all requests were answered with 200: {dict(met.statuses)}")
    rate = met.accepted / sum(used[role] for role in case.roles)
    return [
        case.name,
        f"{met.accepted / met.seconds:,.0f}",
        f"{rate:,.0f}",
        f"{case.goal:,}" if case.goal else "-",
        ("met" if rate >= case.goal else "missed") if case.goal else "-",
        f"{met.accepted / used.total():,.0f}",
        f"{percentile(met.latencies_s, 0.5) * 1000:.1f}",
        f"{percentile(met.latencies_s, 0.99) * 1000:.0f}",
    ]


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run (8)")
    parser.add_argument("--cluster", action="store_true", help="on real servers, whose CPU time counts, too")
    options = parser.parse_args(argv)
    with MeasuredPalio(cluster=options.cluster) as palio:
        contest = set_up(palio)
        known = palio.applied()
        loaded: Load = LoadProcess(scores, palio.settings.port, contest, palio.token("service", 1), 20).result(60)
        palio.await_applied(known + loaded.accepted * 500)
        time.sleep(2)  # checkpoints
        rows = [measure(palio, case, contest, options.seconds) for case in CASES]
    head = ["views", "a second", "a CPU-second of the entrypoint", "aim", "", "of all processes", "p50 ms", "p99 ms"]
    text = table(head, rows)
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
