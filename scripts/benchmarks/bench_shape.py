"""Many small tournaments at once: scores, views and live sockets spread over all of them.

`python -m scripts.benchmarks.bench_shape`. It starts a Palio of its own with 10,000 running tournaments of 10 participants (made and joined
through the public calls, some minutes), then loads it from processes that are not counted: scores in batches of 25 of a service (and one in a
hundred alone, with `Prefer: wait`, to know when it was applied), views of random tournaments without a token, sockets that watch a tournament
each. All are open loops: what is due is sent whether earlier ones are answered or not, and times count from when it was due. CPU time is that
of Palio's processes (and of the real servers with `--cluster`), of the run alone; memory is their proportional set size after it.

`--data DIR` keeps the tournaments: the next run with it starts on them, and tells how long that took.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.contest import Contest, set_up
from scripts.benchmarks.harness.http_load import percentile
from scripts.benchmarks.harness.latency_clients import Sent, Viewed, Watched, send_scores, send_views, watch
from scripts.benchmarks.harness.measured_palio import MeasuredPalio, table

WAIT_SHARE = 0.01
TOKENS = 200  # players who send the scores that are waited for
SETTLE_S = 3.0
GOALS = {False: {"applied": 150, "pushed": 200, "view": 100}, True: {"applied": 300, "pushed": 400, "view": 150}}


def contest_of(palio: MeasuredPalio, tournaments: int, members: int) -> Contest:
    """The tournaments that are kept in the data directory, or new ones, which are kept there from then on."""
    kept = palio.data / "bench-contest.json"
    if kept.exists():
        contest = msgspec.json.decode(kept.read_bytes(), type=Contest)
        if len(contest.tournaments) < tournaments:
            raise SystemExit(f"expected {tournaments:,} tournaments in {palio.data}, got {len(contest.tournaments):,}")
        return contest._replace(tournaments=contest.tournaments[:tournaments], members=contest.members[:tournaments])
    contest = set_up(palio, "last", tournaments, members)
    kept.write_bytes(msgspec.json.encode(contest))
    time.sleep(5)  # checkpoints
    return contest


def measure(palio: MeasuredPalio, contest: Contest, options: argparse.Namespace) -> list[str]:
    """The lines of the report."""
    port, seconds = palio.settings.gateway_port, options.seconds
    tokens = {
        users[0]: palio.token("player", users[0]) for users in contest.members[:TOKENS]
    }  # each takes some ms to make
    tokens[1] = palio.token("service", 1)
    idle = palio.idle_rate(5.0)
    watching = LoadProcess(watch, port, contest, options.sockets, seconds + SETTLE_S + 12)
    watching.wait_for("open", 120)
    before = palio.cpu_s()
    work = [port, contest]
    scores_of = [*work, tokens, options.rate, options.batch, seconds, WAIT_SHARE]
    scoring = LoadProcess(send_scores, *scores_of) if options.rate else None
    viewing = LoadProcess(send_views, *work, options.views, seconds) if options.views else None
    sent: Sent = scoring.result(seconds + 120) if scoring is not None else Sent()
    viewed: Viewed = viewing.result(seconds + 120) if viewing is not None else Viewed()
    used, pss = palio.cpu_s() - before, palio.pss_mb()
    watched: Watched = watching.result(seconds + 120)
    pushed = [at - sent.times_s[key][0] for key, at in watched.seen_s.items() if key in sent.times_s]
    accepted = [accepted_s - due_s for due_s, accepted_s in sent.times_s.values()]
    goals = GOALS[options.cluster]
    rows = [
        _row("score, due to accepted (202)", accepted),
        _row("score, due to applied (`Prefer: wait`)", sent.applied_s, goals["applied"]),
        _row("score, due to pushed", pushed, goals["pushed"]),
        _row("view, due to answered", viewed.seconds, goals["view"]),
    ]
    scores = len(sent.times_s) + len(sent.applied_s)
    lines = [
        f"{len(contest.tournaments):,} tournaments of {len(contest.members[0])}, {seconds:g} s: {options.rate:,} scores/s in batches of "
        f"{options.batch}, {options.views:,} views/s, {options.sockets:,} sockets"
        f"{', on real servers' if options.cluster else ''}.",
        "",
        table(["time", "samples", "p50 ms", "p95 ms", "p99 ms", "aim p95 ms"], [row for row in rows if row[1] != "0"]),
        "",
        f"- Accepted {scores:,} scores ({sent.refused:,} requests were not) and {len(viewed.seconds):,} views "
        f"({viewed.refused:,} were not); {watched.frames:,} updates came to the sockets.",
        f"- CPU seconds: {_shares(used, 1, 1)}; idle, all used {idle:.2f} of a core.",
    ]
    if scores:
        lines.append(f"- CPU us a score: {_shares(used, scores / 1e6, 0)}.")
    if viewed.seconds:
        lines.append(f"- CPU us a view: {_shares(used, len(viewed.seconds) / 1e6, 0)}.")
    lines.append(f"- Memory after it, PSS in MB: {_shares(pss, 1, 0)}.")
    lines.append(f"- From the start to ready: {palio.started_in_s:.1f} s.")
    return lines


def _row(what: str, values_s: list[float], goal_ms: int | None = None) -> list[str]:
    p50, p95, p99 = (1000 * percentile(values_s, part) for part in (0.5, 0.95, 0.99))
    verdict = "-" if goal_ms is None else f"{goal_ms}: {'met' if p95 <= goal_ms else 'missed'}"
    return [what, f"{len(values_s):,}", f"{p50:.0f}", f"{p95:.0f}", f"{p99:.0f}", verdict]


def _shares(parts: Counter[str], per: float, digits: int) -> str:
    """The sum and its larger parts, each divided by `per`."""
    total = parts.total()
    named = [f"{role} {value / per:,.{digits}f}" for role, value in parts.most_common() if value > total / 100]
    return f"{total / per:,.{digits}f} ({', '.join(named)})"


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print the report and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the run (60)")
    parser.add_argument("--tournaments", type=int, default=10_000, help="how many run (10,000)")
    parser.add_argument("--members", type=int, default=10, help="participants of each (10)")
    parser.add_argument("--rate", type=int, default=5_000, help="scores a second, 0 for none (5,000)")
    parser.add_argument("--batch", type=int, default=25, help="scores a request (25)")
    parser.add_argument("--views", type=int, help="views a second, 0 for none (2,000; on real servers 500)")
    parser.add_argument("--sockets", type=int, default=1_000, help="live sockets (1,000)")
    parser.add_argument("--data", type=Path, help="a directory that keeps the tournaments for the next run")
    parser.add_argument("--cluster", action="store_true", help="on real servers, whose CPU time counts, too")
    options = parser.parse_args(argv)
    if options.cluster and options.data:
        parser.error("--data keeps an embedded Palio's tournaments; with --cluster they are in the servers")
    if options.views is None:
        options.views = 500 if options.cluster else 2_000
    with MeasuredPalio(cluster=options.cluster, data=options.data) as palio:
        contest = contest_of(palio, options.tournaments, options.members)
        text = "\n".join(measure(palio, contest, options))
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
