"""New replicas of the entrypoints of a running Palio under load, with live sockets open: what requests and watchers notice."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import httpx2

from scripts.benchmarks.harness.client_process import LoadProcess
from scripts.benchmarks.harness.live_followers import Followed, follow
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
PULSE_PAUSE_S: Final = 0.05
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


class _Pulse(threading.Thread):
    """Gives a tournament's watchers an update at least every PULSE_PAUSE_S: each score is another one."""

    def __init__(self, palio: RunningPalio, tournament: str) -> None:
        super().__init__()
        self._palio = palio
        self._tournament = tournament
        self.refused: list[str] = []
        self.acknowledged = 0
        self.stopping = False

    def run(self) -> None:
        with self._palio.client(gateway=True) as client:
            while not self.stopping:
                number = self.acknowledged + len(self.refused)
                body = {"event_id": f"pulse-{number}", "user_id": "1", "score": number}
                try:
                    answer = client.post(f"/v1/tournaments/{self._tournament}/scores", json=body)
                except httpx2.HTTPError as error:
                    self.refused.append(repr(error))
                else:
                    if answer.status_code == 202:
                        self.acknowledged += 1
                    else:
                        self.refused.append(answer.text)
                time.sleep(PULSE_PAUSE_S)


def measure_redeploy(palio: RunningPalio, replicas: int, sockets: int = SOCKETS) -> Redeployed:
    """One redeploy in mid-load. Raises AssertionError when an acknowledged event is lost or counted twice."""
    settings = {"PALIO_GATEWAY_REPLICAS_MIN": str(replicas), "PALIO_GATEWAY_REPLICAS_MAX": str(replicas)}
    if len(palio.pids(GATEWAY)) != replicas:
        palio.redeploy(**settings)
    eventually(lambda: len(palio.pids(GATEWAY)) == replicas)
    with palio.client() as api:
        tournament, watched = create(api, placement="shared"), create(api, placement="shared", score_policy="last")
        join(api, tournament, *USERS)
        join(api, watched, 1)
        following = LoadProcess(follow, palio.gateway_port, watched, sockets)
        following.wait_for("open", 150)
        pulse = _Pulse(palio, watched)
        pulse.start()
        try:
            with Load(palio, tournament, USERS) as load:
                time.sleep(2)
                old = {*palio.pids(GATEWAY), *palio.pids(API)}
                began_s = time.monotonic()
                palio.redeploy(**settings)
                command_s = time.monotonic() - began_s
                eventually(lambda: not old & {*palio.pids(GATEWAY), *palio.pids(API)})
                gone_s = time.monotonic() - began_s
                time.sleep(2)
        finally:
            pulse.stopping = True
            pulse.join()
        following.say("finish")
        followed: Followed = following.result(120)
        load.check_table()
        for each in (tournament, watched):
            api.post(f"/v1/tournaments/{each}/end")
    failed = [what for _, what, status in load.reads if status != 200]
    return Redeployed(
        command_s,
        gone_s,
        sum(what.startswith("gateway") for what in failed),
        sum(what.startswith("api") for what in failed),
        len(load.reads),
        len(load.refused) + len(pulse.refused),
        sum(load.attempts.values()) + pulse.acknowledged,
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
