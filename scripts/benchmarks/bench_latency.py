"""How long a score takes: until it is applied (`Prefer: wait` on a sample), and until it is pushed to the live sockets.

`python -m scripts.benchmarks.bench_latency`. It starts a Palio of its own: 200 running tournaments of 20 members,
policy `last`, 500 live sockets that
watch them evenly. The load is an open loop: scores are due at a steady rate, whether earlier ones are answered or not, and times count
from when a score was due. All go through the gateway: single posts at 1,000 a second, batches of 25 at 5,000 a second. Clients and Palio share
the machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.contest import set_up
from scripts.benchmarks.harness.http_load import percentile
from scripts.benchmarks.harness.latency_clients import Sent, Watched, send_scores, watch
from scripts.benchmarks.harness.measured_palio import MeasuredPalio, table

SOCKETS = 500
RATES = [(1_000, 1), (5_000, 25)]  # scores a second, scores a request
GOALS = {"applied p99": 60.0, "pushed p95": 100.0}
SETTLE_S = 3.0


def measure(palio: MeasuredPalio, rate: int, size: int, duration_s: float) -> tuple[list[list[str]], list[str]]:
    """The rows of one rate, and what else is to be said of it."""
    contest = set_up(palio, policy="last")
    tokens = {user: palio.token("player", user) for users in contest.members for user in users}
    tokens[1] = palio.token("service", 1)
    port = palio.settings.gateway_port
    watching = LoadProcess(watch, port, contest, SOCKETS, duration_s + SETTLE_S + 12)
    watching.wait_for("open", 120)
    before = palio.cpu_s()
    sent: Sent = LoadProcess(send_scores, port, contest, tokens, rate, size, duration_s).result(duration_s + 90)
    used = palio.cpu_s() - before
    watched: Watched = watching.result(duration_s + 90)
    from_due, from_accepted = [], []
    for key, pushed_s in watched.seen_s.items():
        if key in sent.times_s:
            due_s, accepted_s = sent.times_s[key]
            from_due.append(pushed_s - due_s)
            from_accepted.append(max(0.0, pushed_s - accepted_s))
    accepted = [accepted_s - due_s for due_s, accepted_s in sent.times_s.values()]
    label = f"{rate:,}/s, " + ("single" if size == 1 else f"batches of {size}")
    rows = [
        _row(label, "due to accepted (202)", accepted, "", 0),
        _row(label, "due to applied (`Prefer: wait`)", sent.applied_s, "applied p99", 0.99),
        _row(label, "accepted to pushed", from_accepted, "pushed p95", 0.95),
        _row(label, "due to pushed", from_due, "", 0),
    ]
    notes = [
        f"{label}: {len(sent.times_s) / duration_s:,.0f} scores a second accepted ({sent.refused:,} requests were not), "
        f"{watched.frames / duration_s:,.0f} frames a second to {SOCKETS} sockets; {len(from_due):,} scores seen there (the rest were "
        f"replaced by the same user's next within an update); Palio used {used.total() / duration_s:.2f} of {_cores()} cores."
    ]
    return rows, notes


def _row(label: str, what: str, values_s: list[float], goal: str, share: float) -> list[str]:
    p50, p95, p99 = (1000 * percentile(values_s, part) for part in (0.5, 0.95, 0.99))
    verdict = "-"
    if share:
        found = {0.95: p95, 0.99: p99}[share]
        verdict = f"{goal} {GOALS[goal]:.0f} ms: {'met' if found <= GOALS[goal] else 'missed'}"
    return [label, what, f"{len(values_s):,}", f"{p50:.0f}", f"{p95:.0f}", f"{p99:.0f}", verdict]


def _cores() -> int:
    import psutil

    return psutil.cpu_count() or 1


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each run (15)")
    parser.add_argument("--cluster", action="store_true", help="on real servers, whose CPU time counts, too")
    options = parser.parse_args(argv)
    rows: list[list[str]] = []
    notes: list[str] = []
    for rate, size in RATES:
        with MeasuredPalio(cluster=options.cluster) as palio:
            more_rows, more_notes = measure(palio, rate, size, options.seconds)
            rows += more_rows
            notes += more_notes
    head = ["load", "time", "samples", "p50 ms", "p95 ms", "p99 ms", "aim"]
    text = "\n".join([table(head, rows), "", *(f"- {note}" for note in notes)])
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
