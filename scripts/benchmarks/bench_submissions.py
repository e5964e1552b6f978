"""Scores a CPU-second of all of Palio's processes, from the request to applied: single ones and batches, through both entrypoints,
and on live sockets.

`python -m scripts.benchmarks.bench_submissions`. It starts a Palio of its own: 200 running tournaments of 20 members
over 50 partitions. The load comes
from a process that is not counted. A run's time goes from its first request until every accepted score is applied; CPU time is that of
all of Palio's processes (Ray's included), as it is, and without what the same processes use idle. Nobody watches.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.contest import Contest, batched_scores, set_up, single_scores
from scripts.benchmarks.harness.http_load import Load, closed_loop, percentile
from scripts.benchmarks.harness.live.submitters import submit_live
from scripts.benchmarks.harness.measured_palio import MeasuredPalio, table

BATCH = 100
LIVE = "live"
IDLE_S = 5.0


class Case(NamedTuple):
    """One row: `size` scores a request; on live sockets, which have one a message, so many on their way for each of `clients`.

    `goal` and `cluster_goal` (on real servers) in scores a CPU-second, 0 without one.
    """

    name: str
    entrypoint: str
    clients: int
    size: int
    goal: int
    cluster_goal: int


CASES = [
    Case("single, gateway, 64 clients", "gateway", 64, 1, 7_000, 5_000),
    Case("single, gateway, 256 clients", "gateway", 256, 1, 12_000, 10_000),
    Case("single, api, 64 clients", "api", 64, 1, 0, 0),
    Case("live socket, 64 sockets, 1 on its way", LIVE, 64, 1, 0, 0),
    Case("live socket, 64 sockets, 32 on their way", LIVE, 64, 32, 0, 0),
    Case("batches of 100, gateway, 8 clients", "gateway", 8, BATCH, 35_000, 30_000),
    Case("batches of 100, api, 8 clients", "api", 8, BATCH, 0, 0),
]


async def load(case: Case, port: int, contest: Contest, tokens: dict[int, str], duration_s: float, seed: int) -> Load:
    """The load of a case, in the client's process."""
    if case.entrypoint == LIVE:
        return await submit_live(port, case.clients, case.size, tokens[1], contest, duration_s, seed)
    single = case.size == 1
    requests = single_scores(contest, tokens, seed) if single else batched_scores(contest, tokens[1], case.size, seed)
    return await closed_loop(port, case.clients, requests, duration_s)


def measure(
    palio: MeasuredPalio, case: Case, contest: Contest, tokens: dict[int, str], duration_s: float, idle: float
) -> list[str]:
    """A row of the table; the roles' shares of the CPU go to stderr."""
    port = palio.settings.port if case.entrypoint == "api" else palio.settings.gateway_port
    per_answer = 1 if case.entrypoint == LIVE else case.size
    known = palio.applied()
    warm: Load = LoadProcess(load, case, port, contest, tokens, 1.0, CASES.index(case) * 2 + 1).result(60)
    palio.await_applied(known + warm.accepted * per_answer)
    before_applied, before, began_s = palio.applied(), palio.cpu_s(), time.monotonic()
    met: Load = LoadProcess(load, case, port, contest, tokens, duration_s, CASES.index(case) * 2 + 2).result(
        duration_s + 60
    )
    accepted = met.accepted * per_answer
    palio.await_applied(before_applied + accepted)
    used, took_s = palio.cpu_s() - before, time.monotonic() - began_s
    if len(met.statuses) > 1 or met.accepted != met.statuses.total():
        raise RuntimeError(f"{case.name}: not all requests were accepted: {dict(met.statuses)}")
    shares = ", ".join(f"{role} {1e6 * seconds / accepted:.0f}" for role, seconds in used.most_common())
    print(f"{case.name}: CPU us a score: {shares}", file=sys.stderr)
    goal = case.cluster_goal if palio.cluster else case.goal
    gross, net = accepted / used.total(), accepted / (used.total() - idle * took_s)
    return [
        case.name,
        f"{accepted / met.seconds:,.0f}",
        f"{gross:,.0f}",
        f"{net:,.0f}",
        f"{goal:,}" if goal else "-",
        ("met" if gross >= goal else "missed") if goal else "-",
        f"{percentile(met.latencies_s, 0.5) * 1000:.1f}",
        f"{percentile(met.latencies_s, 0.99) * 1000:.0f}",
    ]


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run (8)")
    parser.add_argument("--only", default="", help="only the cases whose name contains this")
    parser.add_argument("--cluster", action="store_true", help="on real servers, whose CPU time counts, too")
    options = parser.parse_args(argv)
    with MeasuredPalio(cluster=options.cluster) as palio:
        contest = set_up(palio)
        tokens = {user: palio.token("player", user) for users in contest.members for user in users}
        tokens[1] = palio.token("service", 1)
        time.sleep(3)
        idle = palio.idle_rate(IDLE_S)
        rows = [
            measure(palio, case, contest, tokens, options.seconds, idle) for case in CASES if options.only in case.name
        ]
    head = ["scores", "a second", "a CPU-second", "without idle", "aim", "", "answered p50 ms", "p99 ms"]
    text = (
        f"{table(head, rows)}\n\nIdle, Palio's processes use {idle:.2f} of a core. Joins through the gateway, each answered once applied: "
        f"{contest.joins_a_second:,.0f} a second."
    )
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
