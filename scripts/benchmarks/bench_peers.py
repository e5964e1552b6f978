"""Palio beside a Nakama and a Centrifugo that run on this machine: what a CPU-second of all of each one's processes does, in turns.

`python -m scripts.benchmarks.bench_peers --nakama http://127.0.0.1:7350 --nakama-pids PID,PID`: single submissions, joins
and views at 64 clients. `--centrifugo http://127.0.0.1:8000 --centrifugo-pids PID`: deliveries of 20 updates a second to
2,000 sockets, what an idle server uses included. Either may be left out. docs/benchmarks.md says how to install them. It
starts a Palio of its own; the loads come from processes that are not counted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.contest import Contest, set_up
from scripts.benchmarks.harness.http_load import Load
from scripts.benchmarks.harness.measured_palio import MeasuredPalio, spread, table
from scripts.benchmarks.harness.peers import (
    Peer,
    load_nakama,
    load_palio,
    nakama_users,
    publish_to_centrifugo,
    publish_to_palio,
    watch,
)

KINDS = ("scores", "joins", "views")
OPEN_S = 120.0


def rate_of(load: Load, cpu_s: float, what: str) -> float:
    """Answers a CPU-second. Raises RuntimeError where not all went well."""
    if load.accepted != load.statuses.total():
        raise RuntimeError(f"{what}: not all requests were answered with success: {dict(load.statuses)}")
    return load.accepted / cpu_s


def palio_turn(
    palio: MeasuredPalio, what: str, contest: Contest, tokens: dict[int, str], options: argparse.Namespace, turn: int
) -> float:
    """One turn of Palio; scores and joins count once they are applied."""
    known, before = palio.applied(), palio.cpu_s()
    port = palio.settings.gateway_port
    load: Load = LoadProcess(load_palio, what, port, contest, tokens, options.clients, options.seconds, turn).result(
        options.seconds + 60
    )
    if what != "views":
        palio.await_applied(known + load.accepted)
    return rate_of(load, (palio.cpu_s() - before).total(), f"Palio, {what}")


def nakama_turn(nakama: Peer, what: str, tokens: list[str], options: argparse.Namespace, turn: int) -> float:
    """One turn of Nakama."""
    before = nakama.cpu_s()
    load: Load = LoadProcess(load_nakama, what, nakama.port, tokens, options.clients, options.seconds, turn).result(
        options.seconds + 60
    )
    return rate_of(load, nakama.cpu_s() - before, f"Nakama, {what}")


def fanout_turn(
    kind: str,
    port: int,
    tournament: str,
    sockets: int,
    seconds: float,
    publisher: LoadProcess,
    cpu_s: Callable[[], float],
) -> float:
    """Deliveries a CPU-second while `publisher` works."""
    watching = LoadProcess(watch, kind, port, sockets, tournament, seconds)
    watching.wait_for("open", OPEN_S)
    before = cpu_s()
    watching.say("go")
    frames: int = watching.result(seconds + 60)
    used_s = cpu_s() - before
    publisher.kill()
    return frames / used_s


def beside_nakama(palio: MeasuredPalio, nakama: Peer, options: argparse.Namespace) -> list[list[str]]:
    """Rows of the table."""
    contest = set_up(palio)
    tokens = {user: palio.token("player", user) for users in contest.members for user in users}
    tokens[1] = palio.token("service", 1)
    theirs: list[str] = LoadProcess(nakama_users, nakama.port, nakama.key).result(300)
    rows = []
    for what in ("joins", "scores", "views"):  # who has not joined cannot score
        turns = [
            (
                palio_turn(palio, what, contest, tokens, options, turn),
                nakama_turn(nakama, what, theirs, options, turn),
            )
            for turn in range(1, options.turns + 1)
        ]
        rows.append(row(f"{what}, {options.clients} clients", "Nakama", turns))
    return rows


def beside_centrifugo(palio: MeasuredPalio, centrifugo: Peer, options: argparse.Namespace) -> list[list[str]]:
    """A row of the table."""
    contest = set_up(palio, "last", tournaments=1)
    [tournament], [users] = contest.tournaments, contest.members
    token, port, turns = palio.token("service", 1), palio.settings.gateway_port, []
    wide = options.seconds + OPEN_S
    for turn in range(1, options.turns + 1):
        ours = LoadProcess(publish_to_palio, port, token, tournament, users, wide, turn)
        palios = fanout_turn(
            "palio", port, tournament, options.sockets, options.seconds, ours, lambda: palio.cpu_s().total()
        )
        theirs = LoadProcess(publish_to_centrifugo, centrifugo.port, centrifugo.key, wide)
        turns.append(
            (
                palios,
                fanout_turn(
                    "centrifugo", centrifugo.port, "", options.sockets, options.seconds, theirs, centrifugo.cpu_s
                ),
            )
        )
    return [row(f"deliveries to {options.sockets:,} sockets", "Centrifugo", turns)]


def row(what: str, peer: str, turns: list[tuple[float, float]]) -> list[str]:
    """A row: medians and ranges a CPU-second, and the ratio of the medians of turns."""
    ours, theirs = zip(*turns, strict=True)
    ratio = statistics.median(a / b for a, b in turns)
    return [what, spread(ours), peer, spread(theirs), f"{ratio:.1f}"]


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, key in (("nakama", "defaultkey"), ("centrifugo", "")):
        parser.add_argument(f"--{name}", default="", help="its URL, http://127.0.0.1:PORT")
        parser.add_argument(f"--{name}-key", default=key, help=f"its server or api key ({key or 'none'})")
        parser.add_argument(f"--{name}-pids", default="", help="its processes, with commas; its database's, too")
    parser.add_argument("--clients", type=int, default=64, help="clients of submissions, joins and views (64)")
    parser.add_argument("--sockets", type=int, default=2000, help="sockets of the fan-out (2000)")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each turn (8)")
    parser.add_argument("--turns", type=int, default=5, help="turns of each (5)")
    options = parser.parse_args(argv)
    if not (options.nakama or options.centrifugo):
        parser.error("expected --nakama, --centrifugo or both")
    try:
        nakama = Peer.of(options.nakama, options.nakama_key, options.nakama_pids) if options.nakama else None
        centrifugo = (
            Peer.of(options.centrifugo, options.centrifugo_key, options.centrifugo_pids) if options.centrifugo else None
        )
    except ValueError as error:
        parser.error(str(error))
    with MeasuredPalio() as palio:
        rows = beside_nakama(palio, nakama, options) if nakama else []
        rows += beside_centrifugo(palio, centrifugo, options) if centrifugo else []
    text = table(["a CPU-second of all processes", "Palio", "peer", "its", "times"], rows)
    print(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
