"""What users notice when a part of a running Palio dies or stays away, under a steady load that remembers all it was promised.

`python -m scripts.benchmarks.bench_faults`: parts of an embedded Palio, killed with SIGKILL. `--cluster`: Palio on
real Kafka, Redis Cluster, MySQL shards
and InfluxDB and on three Ray nodes; also a node, an owner stopped until it was replaced, each server away for a while, Redis emptied. Both: a
rolling redeploy of the entrypoints with 500 live sockets, in a table of its own.

For each fault, in turns: a running tournament of 20 members gets scores without pause and is read in every way at both entrypoints; the fault
strikes; the time until a new score is applied is taken (of an emptied Redis: until its read models are right again); at the end the table must
show every acknowledged event, once. All share the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import httpx2
import psutil

from scripts.benchmarks.harness import faults_redeploy
from scripts.benchmarks.harness.faults_redeploy import Redeployed, measure_redeploy
from scripts.benchmarks.harness.faults_redis import READ_MODEL_GOAL_S, flushed_s
from scripts.benchmarks.harness.measured_palio import spread, table
from tests.integration.conftest import applied_within_s, create, eventually, join
from tests.support.load import Load
from tests.support.ray_nodes import RayNodes
from tests.support.real_servers import RealServers
from tests.support.running import NO_LIMITS, RunningPalio, kill_9

USERS: Final = range(1, 21)
PROBE: Final = 99
OWNER_GOAL_S: Final = 3.0
NODE_GOAL_S: Final = 15.0
KILLED: Final = {
    "owner of shared tournaments": "ray::TournamentActor",
    "owner of a dedicated tournament": "ray::TournamentActor",
    "ingest": "ray::IngestActor",
    "director": "ray::DirectorActor",
    "updates broker": "ray::UpdatesActor",
    "gateway": "ray::ServeReplica:gateway",
    "api": "ray::ServeReplica:api",
}
AWAY: Final = {
    "Redis Cluster": "redis-cluster",
    "a MySQL primary": "mysql-0-primary",
    "a MySQL replica": "mysql-0-replica",
    "InfluxDB": "influx",
    "Kafka": "kafka",
}
STOPPED_OWNER: Final = "owner stopped, woken after it was replaced"
NODE: Final = "a Ray node"
FLUSHED: Final = "Redis FLUSHALL, until the read models are right"


class Stage(NamedTuple):
    """What faults strike."""

    palio: RunningPalio
    servers: RealServers | None
    nodes: RayNodes | None
    away_s: float


class Found(NamedTuple):
    """Seconds until a score was applied again (from the fault, or from when the server was back); longest time without an accepted score,
    and without an answered read at the worse entrypoint; failed reads by entrypoint, all reads; acknowledged events, those lost,
    those doubled.
    """

    applied_s: float
    writes_away_s: float
    reads_away_s: float
    gateway_reads_failed: int
    api_reads_failed: int
    reads: int
    acknowledged: int
    lost: int
    doubled: int


def measure(stage: Stage, fault: str) -> Found:
    """One fault in mid-load."""
    palio = stage.palio
    with palio.client() as api, palio.client(gateway=True) as gateway:
        before = set(palio.pids("ray::TournamentActor"))
        tournament, own = _tournament(stage, api, fault, before)
        join(api, tournament, *USERS, PROBE)
        with Load(palio, tournament, USERS) as load:
            time.sleep(1.5)
            struck_at = time.monotonic()
            with _struck(stage, fault, own or sorted(before)) as since:
                entrypoint = api if fault == "gateway" else gateway
                if fault == FLUSHED:
                    assert stage.servers is not None
                    applied_s = flushed_s(stage.servers, load)
                elif fault not in AWAY:
                    applied_s = _until(lambda: applied_within_s(entrypoint, tournament, PROBE, since(), wait=1))
            if fault in AWAY:
                applied_s = _until(lambda: applied_within_s(entrypoint, tournament, PROBE, since(), wait=1))
            eventually(palio.well, 120)
            time.sleep(1)
        api.delete(f"/v1/tournaments/{tournament}/participants/{PROBE}", headers={"Prefer": "wait=10"})
        lost, doubled = load.miscounted()
        api.post(f"/v1/tournaments/{tournament}/end")
    times = [struck_at, *(at for at in load.acknowledged if at > struck_at)]
    failed = [what for _, what, status in load.reads if status != 200]
    return Found(
        applied_s,
        max(after - at for at, after in itertools.pairwise(times)),
        max(load.longest_unread_s(entrypoint, struck_at) for entrypoint in ("gateway", "api")),
        sum(what.startswith("gateway") for what in failed),
        sum(what.startswith("api") for what in failed),
        len(load.reads),
        sum(load.attempts.values()),
        lost,
        doubled,
    )


def _tournament(stage: Stage, api: httpx2.Client, fault: str, before: set[int]) -> tuple[str, list[int]]:
    """A tournament for a fault, with its own owner where it has one; one that is to be stopped lives beside the head."""
    if fault not in (STOPPED_OWNER, "owner of a dedicated tournament"):
        return create(api, placement="shared"), []
    while True:
        tournament = create(api, placement="dedicated")
        own = eventually(lambda: sorted(set(stage.palio.pids("ray::TournamentActor")) - before))
        if fault != STOPPED_OWNER or (stage.nodes is not None and _parent(own[0]) in stage.nodes.raylets[1:]):
            return tournament, own
        api.post(f"/v1/tournaments/{tournament}/end")
        eventually(lambda: not set(stage.palio.pids("ray::TournamentActor")) - before)


@contextlib.contextmanager
def _struck(stage: Stage, fault: str, owners: Sequence[int]) -> Iterator[Callable[[], float]]:
    """The fault, for as long as the body; yields when it began, or when it was over."""
    began = over = time.monotonic()
    palio = stage.palio
    if fault in KILLED:
        doomed = owners if "owner" in fault else palio.pids(KILLED[fault])
        for pid in doomed:
            kill_9(pid)
        yield lambda: began
        eventually(lambda: set(palio.pids(KILLED[fault])) - set(doomed), 120)
    elif fault == FLUSHED:
        yield lambda: began
    elif fault == NODE:
        assert stage.nodes is not None
        stage.nodes.kill(1)
        yield lambda: began
        stage.nodes.add()
    elif fault == STOPPED_OWNER:
        assert stage.nodes is not None
        raylet = _parent(owners[0])
        for pid in (raylet, *owners):
            os.kill(pid, signal.SIGSTOP)
        yield lambda: began
        for pid in owners:
            os.kill(pid, signal.SIGCONT)
        time.sleep(
            5
        )  # it goes on with what it had, cut off from the head: refused, or harmless; the table is checked after this
        stage.nodes.kill(stage.nodes.raylets.index(raylet))
        stage.nodes.add()
    else:
        assert stage.servers is not None
        stage.servers.signal(AWAY[fault], signal.SIGKILL)
        yield lambda: over
        time.sleep(stage.away_s)
        stage.servers.up()
        over = time.monotonic()


def _parent(pid: int) -> int:
    """The raylet that started a worker."""
    return int(psutil.Process(pid).ppid())


def _until(probe: Callable[[], float]) -> float:
    """The probe's answer, however often its entrypoint is not there yet."""
    while True:
        try:
            return probe()
        except (httpx2.HTTPError, AssertionError):
            time.sleep(0.05)


@contextlib.contextmanager
def _stage(cluster: bool, away_s: float) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="palio-bench-")))
        environment, servers, nodes = dict(NO_LIMITS), None, None
        if cluster:
            servers = RealServers(directory / "servers")
            stack.callback(servers.down)
            servers.up()
            nodes = stack.enter_context(RayNodes(3, {}))
            environment |= {**servers.environment, **nodes.environment, "PALIO_SHARDS": "2"}
        palio = RunningPalio(directory / "data", **environment).start()
        stack.callback(palio.stop)
        yield Stage(palio, servers, nodes, away_s)


def main(argv: Sequence[str] | None = None) -> str:
    """Measure, print a Markdown table and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3, help="how often each fault strikes (3)")
    parser.add_argument("--cluster", action="store_true", help="on real servers and three Ray nodes")
    parser.add_argument("--away-s", type=float, default=30.0, help="how long a server stays away (30)")
    parser.add_argument("--only", action="append", help="this fault alone, by its name in the table; may be repeated")
    options = parser.parse_args(argv)
    faults = [fault for fault in KILLED if not (options.cluster and fault == "updates broker")]
    if options.cluster:
        faults += [STOPPED_OWNER, NODE, *AWAY, FLUSHED]
    found: dict[str, list[Found]] = {fault: [] for fault in faults if not options.only or fault in options.only}
    names = {faults_redeploy.NAME.format(replicas): replicas for replicas in faults_redeploy.REPLICAS}
    redeployed: dict[int, list[Redeployed]] = {
        replicas: [] for name, replicas in names.items() if not options.only or name in options.only
    }
    with _stage(options.cluster, options.away_s) as stage:
        # before anything is killed: processes of a dead node may live on, and redeploying counts replicas
        for _ in range(options.turns):
            for replicas, turns in redeployed.items():
                turns.append(measure_redeploy(stage.palio, replicas))
                print(f"redeploy {replicas}: {turns[-1].brief}", file=sys.stderr)
        for _ in range(options.turns):
            for fault, results in found.items():
                results.append(measure(stage, fault))
                print(f"{fault}: {results[-1]}", file=sys.stderr)
    head = [
        "fault",
        "applying again after s, median (range)",
        "longest without an accepted score s",
        "without an answered read s",
    ]
    head += ["reads failed, gateway", "reads failed, api", "reads", "acknowledged", "lost, doubled", "aim"]
    tables = [table(head, [_row(fault, results) for fault, results in found.items()])] if found else []
    if redeployed:
        rows = [faults_redeploy.row(replicas, turns) for replicas, turns in redeployed.items()]
        tables.append(table(faults_redeploy.HEAD, rows))
    text = "\n\n".join(tables)
    print(text)
    return text


def _row(fault: str, results: Sequence[Found]) -> list[str]:
    applied = [result.applied_s for result in results]
    goal_s = OWNER_GOAL_S if "owner" in fault else {NODE: NODE_GOAL_S, FLUSHED: READ_MODEL_GOAL_S}.get(fault, 0.0)
    verdict = f"{goal_s:g} s: {'met' if max(applied) <= goal_s else 'missed'}" if goal_s else "-"
    return [
        fault,
        spread(applied, 1),
        f"{max(result.writes_away_s for result in results):.1f}",
        f"{max(result.reads_away_s for result in results):.1f}",
        f"{sum(result.gateway_reads_failed for result in results)}",
        f"{sum(result.api_reads_failed for result in results)}",
        f"{sum(result.reads for result in results):,}",
        f"{sum(result.acknowledged for result in results):,}",
        f"{sum(result.lost for result in results)}, {sum(result.doubled for result in results)}",
        verdict,
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
