"""Creates through the api, joins one by one and in bulk through the gateway: how many a second, and a CPU-second of all of Palio's processes.

`python -m scripts.benchmarks.bench_joins`. It starts a Palio of its own. The load comes from a process that is not
counted. Creates and single joins are answered once they are applied; joins in bulk once they are in the log, and their
CPU time goes on until all of them are applied.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx2

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.http_load import Load, closed_loop, percentile, request
from scripts.benchmarks.harness.measured_palio import MeasuredPalio, table

BULK = 1000
FIRST_USER = 1_000_000


class Case(NamedTuple):
    """One row: `size` of what is counted in each request."""

    name: str
    kind: str
    clients: int
    size: int


CASES = [
    Case("creates, api, 64 clients", "create", 64, 1),
    Case("joins, gateway, 64 clients", "join", 64, 1),
    Case("joins in bulk of 1,000, gateway, 4 clients", "bulk", 4, BULK),
]


def creates(token: str) -> Callable[[], bytes]:
    """Tournaments that run, with names of their own."""
    now, numbers = datetime.now(UTC), itertools.count(1)
    times = {
        "starts_at": (now - timedelta(minutes=1)).isoformat(),
        "ends_at": (now + timedelta(hours=2)).isoformat(),
    }

    def make() -> bytes:
        body = json.dumps({"name": f"Bench {next(numbers)}", "type": "scheduled", **times}).encode()
        return request("POST", "/v1/tournaments", token=token, body=body)

    return make


def joins(token: str, tournaments: list[str], first: int) -> Callable[[], bytes]:
    """Users who are new, in each tournament in turn."""
    users, turn = itertools.count(first), itertools.cycle(tournaments)
    return lambda: request("PUT", f"/v1/tournaments/{next(turn)}/participants/{next(users)}", token=token, body=b"{}")


def bulk_joins(token: str, tournaments: list[str], first: int) -> Callable[[], bytes]:
    """The same, BULK in each request."""
    users, turn = itertools.count(first), itertools.cycle(tournaments)

    def make() -> bytes:
        items = [{"tournament_id": next(turn), "user_id": str(next(users))} for _ in range(BULK)]
        return request("POST", "/v1/participants", token=token, body=json.dumps(items).encode())

    return make


async def load(case: Case, port: int, token: str, tournaments: list[str], first: int, duration_s: float) -> Load:
    """The load of a case, in the client's process."""
    makers: dict[str, Callable[[], Callable[[], bytes]]] = {
        "create": lambda: creates(token),
        "join": lambda: joins(token, tournaments, first),
        "bulk": lambda: bulk_joins(token, tournaments, first),
    }
    return await closed_loop(port, case.clients, makers[case.kind](), duration_s)


def measure(palio: MeasuredPalio, case: Case, token: str, tournaments: list[str], duration_s: float) -> list[str]:
    """A row of the table; the roles' shares of the CPU go to stderr."""
    port = palio.settings.port if case.kind == "create" else palio.settings.gateway_port
    first = FIRST_USER * (2 + 2 * CASES.index(case))
    known = palio.applied()
    warm: Load = LoadProcess(load, case, port, token, tournaments, first, 0.5).result(60)
    known += warm.accepted * case.size
    palio.await_applied(known, 180)
    before = palio.cpu_s()
    met: Load = LoadProcess(load, case, port, token, tournaments, first + FIRST_USER, duration_s).result(
        duration_s + 90
    )
    if not met.accepted or met.accepted != met.statuses.total():
        raise RuntimeError(f"{case.name}: not all requests were accepted: {dict(met.statuses)}")
    done = met.accepted * case.size
    palio.await_applied(known + done, 180)
    used = palio.cpu_s() - before
    shares = ", ".join(f"{role} {1e6 * seconds / done:.0f}" for role, seconds in used.most_common(8))
    print(f"{case.name}: CPU us each: {shares}", file=sys.stderr)
    return [
        case.name,
        f"{done / met.seconds:,.0f}",
        f"{done / used.total():,.0f}",
        f"{percentile(met.latencies_s, 0.5) * 1000:.0f}",
        f"{percentile(met.latencies_s, 0.99) * 1000:.0f}",
    ]


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run (8)")
    options = parser.parse_args(argv)
    with MeasuredPalio() as palio:
        token, tournaments, rows = palio.token("service", 1), list[str](), []
        for case in CASES:
            rows.append(measure(palio, case, token, tournaments, options.seconds))
            if not tournaments:
                page = httpx2.get(f"{palio.url}/v1/tournaments", params={"limit": 50}, timeout=30).json()
                tournaments += [item["id"] for item in page["items"]]
    text = table(["", "a second", "a CPU-second", "answered p50 ms", "p99 ms"], rows)
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
