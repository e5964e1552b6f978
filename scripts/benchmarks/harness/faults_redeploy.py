"""New replicas of the entrypoints of a running Palio under load, with live sockets open: what requests and watchers notice."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.live.followers import Followed, follow
from tests.integration.conftest import create, eventually, join
from tests.support.load import Load
from tests.support.running import RunningPalio

SOCKETS: Final = 500
USERS: Final = range(1, 21)
REPLICAS: Final = (1, 2)
NAME: Final = "rolling redeploy, gateway replicas: {}"
HEAD: Final = [
    "fault",
    "command s",
    "old replicas gone after s",
    "reads failed, gateway",
    "reads failed, api",
    "reads",
    "submissions refused",
    "acknowledged",
    "lost, doubled",
    "sockets told to come back, cut",
    "without a socket s, median (max)",
    "connections refused",
    "resumed, with a snapshot",
    "updates missed, sockets behind in the end",
]
GATEWAY: Final = "ray::ServeReplica:gateway"
API: Final = "ray::ServeReplica:api"


class Redeployed(NamedTuple):
    """Seconds that the command took and until no old replica was left; failed reads by entrypoint, all reads; submissions that were not
    accepted at once, those that were; what the sockets saw.
    """

    command_s: float
    gone_s: float
    gateway_reads_failed: int
    api_reads_failed: int
    reads: int
    refused: int
    acknowledged: int
    followed: Followed

    @property
    def brief(self) -> str:
        """All of it but the single returns."""
        waited = f"{len(self.followed.away_s)} returns"
        return f"{self[:-1]}, {replace(self.followed, away_s=[])}, {waited}"


def measure_redeploy(palio: RunningPalio, replicas: int, sockets: int = SOCKETS) -> Redeployed:
    """One redeploy in mid-load. Raises AssertionError when an acknowledged event is lost or counted twice."""
    settings = {"PALIO_GATEWAY_REPLICAS_MIN": str(replicas), "PALIO_GATEWAY_REPLICAS_MAX": str(replicas)}
    if len(palio.pids(GATEWAY)) != replicas:
        palio.redeploy(**settings)
    eventually(lambda: len(palio.pids(GATEWAY)) == replicas)
    with palio.client() as api:
        tournament = create(api, placement="shared")
        join(api, tournament, *USERS)
        following = LoadProcess(follow, palio.gateway_port, tournament, sockets)
        following.wait_for("open", 150)
        with Load(palio, tournament, USERS, rising=True) as load:  # so that watchers get an update all the time
            time.sleep(2)
            old = {*palio.pids(GATEWAY), *palio.pids(API)}
            began_s = time.monotonic()
            palio.redeploy(**settings)
            command_s = time.monotonic() - began_s
            eventually(lambda: not old & {*palio.pids(GATEWAY), *palio.pids(API)})
            gone_s = time.monotonic() - began_s
            time.sleep(2)
        following.say("finish")
        followed: Followed = following.result(120)
        load.check_table()
        api.post(f"/v1/tournaments/{tournament}/end")
    failed = [what for _, what, status in load.reads if status != 200]
    return Redeployed(
        command_s,
        gone_s,
        sum(what.startswith("gateway") for what in failed),
        sum(what.startswith("api") for what in failed),
        len(load.reads),
        len(load.refused),
        sum(load.attempts.values()),
        followed,
    )


def row(replicas: int, results: Sequence[Redeployed]) -> list[str]:
    """A row under HEAD."""
    followed = [result.followed for result in results]
    away_s = [seconds for each in followed for seconds in each.away_s] or [0.0]
    returns, resumed = sum(len(each.away_s) for each in followed), sum(each.resumed for each in followed)
    return [
        NAME.format(replicas),
        f"{statistics.median(result.command_s for result in results):.1f}",
        f"{statistics.median(result.gone_s for result in results):.1f}",
        f"{sum(result.gateway_reads_failed for result in results)}",
        f"{sum(result.api_reads_failed for result in results)}",
        f"{sum(result.reads for result in results):,}",
        f"{sum(result.refused for result in results)}",
        f"{sum(result.acknowledged for result in results):,}",
        "0, 0",
        f"{sum(each.told for each in followed):,}, {sum(each.cut for each in followed)}",
        f"{statistics.median(away_s):.1f} ({max(away_s):.1f})",
        f"{sum(each.refused for each in followed)}",
        f"{resumed:,}, {returns - resumed:,}",
        f"{sum(each.gaps for each in followed)}, {sum(each.behind for each in followed)}",
    ]
