"""Actors, an entrypoint and a whole node are killed in mid-load: nothing acknowledged is lost or counted twice, and all works again."""

from __future__ import annotations

import contextlib
import time
from functools import partial

import httpx2
import psutil
import pytest

from tests.integration.conftest import applied_within_s, create, eventually, join, shown, spec, submit
from tests.support.load import Load
from tests.support.ray_nodes import RayNodes
from tests.support.running import RunningPalio, kill_9
from tests.support.watcher import Follower

USERS = range(1, 21)
PROBE = 99
GATEWAY = "ray::ServeReplica:gateway"


@pytest.mark.parametrize("part", ["ray::TournamentActor", "ray::IngestActor"])
def test_actors_are_killed(cluster: RunningPalio, part: str) -> None:
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS, PROBE)
        with Follower(cluster, tournament) as follower:
            with Load(cluster, tournament, USERS) as load:
                time.sleep(1)
                killed_at = time.monotonic()
                for pid in cluster.pids(part):
                    kill_9(pid)
                back_s = applied_within_s(gateway, tournament, PROBE, killed_at, wait=1)
                time.sleep(1)
            print(f"\n{part}: applying again after {back_s:.2f} s")
            assert {status for _, _, status in load.reads} == {200}, load.statuses
            assert load.refused == []
            assert api.delete(f"/v1/tournaments/{tournament}/participants/{PROBE}").status_code in (202, 204)
            load.check_table()
            eventually(lambda: follower.top == shown(gateway, tournament))


def test_the_director_is_killed(cluster: RunningPalio) -> None:
    """Creates are answered while it is away; one that wants an actor of its own has it once there is a director again."""
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS)
        with Load(cluster, tournament, USERS) as load:
            doomed = set(cluster.kill_actors("ray::DirectorActor"))
            answer = api.post("/v1/tournaments", json=spec(placement="dedicated"), headers={"Prefer": "wait=0"})
            assert answer.status_code == 202, answer.text
            shared = [create(api, placement="shared")]
            assert not set(cluster.pids("ray::DirectorActor")) - doomed, "it was back too soon to show anything"
            shared += [create(api, placement="shared") for _ in range(2)]
            for each in shared:
                join(api, each, 1)
                assert submit(gateway, each, 1, "a", 5)["outcome"] == "applied"
            eventually(lambda: set(cluster.pids("ray::DirectorActor")) - doomed)
            dedicated = answer.json()["id"]
            eventually(lambda: api.get(f"/v1/tournaments/{dedicated}").status_code == 200)
            join(api, dedicated, 1)
            assert submit(gateway, dedicated, 1, "a", 5)["outcome"] == "applied"
        assert {status for _, _, status in load.reads} == {200}, load.statuses
        assert load.refused == []
        load.check_table()
        for each in (*shared, dedicated):
            ended = api.post(f"/v1/tournaments/{each}/end", headers={"Prefer": "wait=10"})
            assert (ended.status_code, ended.json()["status"]) == (200, "finished")


def test_a_gateway_replica_is_killed(cluster: RunningPalio) -> None:
    """The other one goes on, Serve brings it back, and those who watched through it go on from where they were."""
    replicas = eventually(lambda: len(pids := cluster.pids(GATEWAY)) == 2 and pids, 120)
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(cluster.client())
        tournament = create(api)
        join(api, tournament, *USERS)
        followers: list[Follower] = []
        while not all(sockets_of(pid, cluster.gateway_port) for pid in replicas):
            assert len(followers) < 50, "Linux gives all connections to one replica"
            followers.append(stack.enter_context(Follower(cluster, tournament)))
        doomed = replicas[0]
        lost = sockets_of(doomed, cluster.gateway_port)
        with Load(cluster, tournament, USERS) as load:
            time.sleep(1)
            killed_at = time.monotonic()
            kill_9(doomed)
            eventually(lambda: sum(follower.connections > 1 for follower in followers) == lost)
            resumed_s = time.monotonic() - killed_at
            eventually(lambda: len(set(cluster.pids(GATEWAY)) - {doomed}) == 2, 120)
            back_s = time.monotonic() - killed_at
            eventually(cluster.well, 120)
        print(
            f"\na gateway of two: {lost} of {len(followers)} sockets back in {resumed_s:.2f} s, itself in {back_s:.2f} s"
        )
        # what it had half answered is all that anyone missed: there was always somebody to connect to, and no error was answered
        assert not [error for error in load.refused if "ConnectError" in error or error.startswith("{")]
        assert load.longest_unread_s("gateway", killed_at) < 5
        assert {status for _, what, status in load.reads if what.startswith("api")} == {200}, load.statuses
        load.check_table()
        gateway = stack.enter_context(cluster.client(gateway=True))
        for follower in followers:
            eventually(partial(shows_the_table, follower, gateway, tournament))
            assert len(follower.epochs) == 1
        assert sum(follower.connections == 1 for follower in followers) == len(followers) - lost


def shows_the_table(follower: Follower, gateway: httpx2.Client, tournament: str) -> bool:
    return follower.top == shown(gateway, tournament)


def sockets_of(pid: int, port: int) -> int:
    """How many connections to a port a process has accepted."""
    connections = psutil.Process(pid).net_connections("tcp")
    return sum(each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED for each in connections)


def test_a_node_is_killed(cluster: RunningPalio, nodes: RayNodes) -> None:
    with cluster.client() as api:
        tournaments = [create(api) for _ in range(4)]
        for tournament in tournaments:
            join(api, tournament, *USERS, PROBE)
        before = set(cluster.pids("ray::TournamentActor"))
        with Load(cluster, tournaments[0], USERS) as load:
            time.sleep(1)
            killed_at = time.monotonic()
            doomed = [pid for pid in before if psutil.Process(pid).ppid() in nodes.raylets[1:]]
            cut_off = nodes.kill(2) + nodes.kill(1)
            # the old owners live on, cut off: what they do is refused or harmless
            eventually(lambda: not doomed or set(cluster.pids("ray::TournamentActor")) - before)
            back_s = [applied_within_s(api, each, PROBE, killed_at, wait=1) for each in tournaments]
            eventually(cluster.well, 60)
            time.sleep(1)
        print(f"\nnodes with {len(doomed)} of {len(before)} owners: applying again after {max(back_s):.2f} s")
        assert api.delete(f"/v1/tournaments/{tournaments[0]}/participants/{PROBE}").status_code in (202, 204)
        load.check_table()
    for pid in cut_off:
        kill_9(pid)
    nodes.add()
    nodes.add()


def test_all_actors_are_killed_at_once(cluster: RunningPalio) -> None:
    """They come back from MySQL and Kafka alone: every row as it was."""
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS, PROBE)
        with Load(cluster, tournament, USERS) as load:
            time.sleep(2)
        load.check_table()
        before = gateway.get(f"/v1/tournaments/{tournament}/rankings").json()["rows"]
        view = gateway.get(f"/v1/tournaments/{tournament}").json()
    for pid in [
        *cluster.pids("ray::TournamentActor"),
        *cluster.pids("ray::IngestActor"),
        *cluster.pids("ray::DirectorActor"),
    ]:
        kill_9(pid)
    with cluster.client(gateway=True) as gateway:
        applied_within_s(gateway, tournament, PROBE, time.monotonic(), wait=1)
        rows = gateway.get(f"/v1/tournaments/{tournament}/rankings").json()["rows"]
        assert [(row["user_id"], row["score"], row["scored_at"]) for row in rows if row["user_id"] != str(PROBE)] == [
            (row["user_id"], row["score"], row["scored_at"]) for row in before
        ]
        assert gateway.get(f"/v1/tournaments/{tournament}").json()["starts_at"] == view["starts_at"]
