"""kill -9 of every part of a Palio in mid-load: reads and submissions go on, nothing acknowledged is lost or counted twice."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from tests.integration.conftest import create, eventually, join, submit
from tests.support.load import Load
from tests.support.running import RunningPalio

USERS = range(1, 41)
BACK_S = 3.0  # the aim on a quiet machine
PATIENCE_S = 30.0  # what a busy one is given


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPalio]:
    """A Palio to be harmed."""
    running = RunningPalio(
        tmp_path_factory.mktemp("stage") / "data", PALIO_ANONYMOUS_RATE="5000", PALIO_ANONYMOUS_BURST="5000"
    ).start()
    yield running
    running.stop()


@pytest.fixture
def tournament(stage: RunningPalio) -> str:
    with stage.client() as client:
        made = create(client)
        join(client, made, *USERS)
    return made


def kill(stage: RunningPalio, title: str) -> float:
    """SIGKILL the processes of this title; returns when."""
    pids = stage.pids(title)
    assert pids, f"no {title} to kill"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def applied_again(stage: RunningPalio, tournament: str, killed_at: float) -> float:
    """Seconds from the crash until a new submission is applied."""
    with stage.client(gateway=True) as client:
        for number in range(1000):
            answer = submit(client, tournament, 1, f"probe-{killed_at}-{number}", number, wait=10)
            if answer.get("outcome") == "applied":
                return time.monotonic() - killed_at
            assert time.monotonic() - killed_at < PATIENCE_S, answer
    raise AssertionError("not applied")


def test_the_owner_is_killed(stage, tournament, record_property):
    with stage.client() as client:
        before = client.get(f"/v1/tournaments/{tournament}").json()["position"]["epoch"]
        probed = create(client)  # of the same owner: a shard holds all
        join(client, probed, 1)
    with Load(stage, tournament, USERS) as load:
        time.sleep(1.5)
        killed_at = kill(stage, "ray::TournamentActor")
        back_s = applied_again(stage, probed, killed_at)
        time.sleep(1)
    record_property("back_s", back_s)
    print(f"applying again after {back_s:.2f} s (aim {BACK_S} s)")
    assert {status for _, status in load.reads} == {200}
    assert not load.refused
    assert any(killed_at < at < killed_at + back_s for at in load.acknowledged), "no submission was accepted meanwhile"
    load.check_table()
    with stage.client() as client:
        after = client.get(f"/v1/tournaments/{tournament}").json()["position"]["epoch"]
    assert after > before


def test_a_dedicated_tournament_has_an_actor_alone_that_may_be_killed(stage):
    shared = set(stage.pids("ray::TournamentActor"))
    with stage.client() as client:
        tournament = create(client, placement="dedicated")
        join(client, tournament, *USERS)
        alone = eventually(lambda: set(stage.pids("ray::TournamentActor")) - shared)
        with Load(stage, tournament, USERS) as load:
            time.sleep(1)
            for pid in alone:
                os.kill(pid, signal.SIGKILL)
            time.sleep(5)
        assert {status for _, status in load.reads} == {200}
        assert not load.refused
        load.check_table()
        back = eventually(lambda: set(stage.pids("ray::TournamentActor")) - shared)
        assert not back & alone
        assert client.post(f"/v1/tournaments/{tournament}/end").json()["status"] == "finished"
        load.check_table()  # by now from the shard, or from the snapshot
        eventually(lambda: not set(stage.pids("ray::TournamentActor")) - shared)  # its actor has gone
        assert client.get(f"/v1/tournaments/{tournament}").json()["status"] == "finished"
        assert submit(client, tournament, 1, "late", 1)["reason"] == "ended"


@pytest.mark.parametrize("title", ["ray::IngestActor", "ray::DirectorActor", "ray::UpdatesActor"])
def test_another_part_is_killed(stage, tournament, title):
    with Load(stage, tournament, USERS) as load:
        time.sleep(1)
        kill(stage, title)
        time.sleep(4)
    assert {status for _, status in load.reads} == {200}
    assert not load.refused
    load.check_table()
    with stage.client() as client:  # and all works on: a create is answered, and what waits is told
        other = create(client)
        join(client, other, 1)
        eventually(lambda: submit(client, other, 1, f"x{time.monotonic()}", 1, wait=5).get("outcome") == "applied")


def test_the_gateway_is_killed(stage, tournament):
    with Load(stage, tournament, USERS) as load:
        time.sleep(1)
        kill(stage, "ray::ServeReplica:gateway")
        eventually(lambda: load.acknowledged and load.reads[-1][1] == 0, 10)
        eventually(lambda: load.reads[-1][1] == 200, 90)
        time.sleep(1)
    load.check_table()


def test_watchers_go_on_over_a_crash_of_the_owner(stage, tournament):
    with connect(stage.live_url, subprotocols=["palio.v1"]) as socket, stage.client() as client:  # type: ignore[list-item]
        socket.send(json.dumps({"id": 1, "subscribe": tournament}))
        snapshot = next_frame(socket, tournament)
        kill(stage, "ray::TournamentActor")
        answer = submit(client, tournament, 5, "after", 99, wait=10)
        assert "partition" in answer or answer["outcome"] == "applied"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            frame = next_frame(socket, tournament)
            if "99" in json.dumps(frame) and frame["epoch"] > snapshot["epoch"]:
                break
            assert time.monotonic() < deadline


def next_frame(socket, tournament: str) -> dict:
    while True:
        frame = json.loads(socket.recv(timeout=PATIENCE_S))
        if frame.get("tournament") == tournament:
            return frame
