"""kill -9 of the actor that holds a running tournament, in mid-load: reads and submissions go on, nothing acknowledged is lost or
counted twice, live sockets go on under a higher epoch."""

from __future__ import annotations

import time

import pytest

from tests.integration.conftest import applied_within_s, create, eventually, join, shown
from tests.support.load import Load
from tests.support.running import RunningPalio, kill_9
from tests.support.watcher import Follower

USERS = range(1, 31)
PROBE = 99
AIM_S = 3.0  # on a quiet machine
PATIENCE_S = 60.0  # on one that is busy with other things


@pytest.mark.parametrize("placement", ["shared", "dedicated"])
def test_the_owner_is_killed(stage: RunningPalio, placement: str) -> None:
    with stage.client() as api, stage.client(gateway=True) as gateway:
        before = set(stage.pids("ray::TournamentActor"))
        tournament = create(api, placement=placement)
        path = f"/v1/tournaments/{tournament}"
        join(api, tournament, *USERS, PROBE)
        owners = before if placement == "shared" else set(stage.pids("ray::TournamentActor")) - before
        assert owners
        epoch = gateway.get(path).json()["position"]["epoch"]
        with Follower(stage, tournament) as follower:
            with Load(stage, tournament, USERS) as load:
                time.sleep(1.5)
                killed_at = time.monotonic()
                for pid in owners:
                    kill_9(pid)
                back_s = applied_within_s(gateway, tournament, PROBE, killed_at)
                time.sleep(1)
            print(f"\n{placement} owner: applying again after {back_s:.2f} s (aim {AIM_S:g} s)")
            assert back_s < PATIENCE_S
            assert {status for _, _, status in load.reads} == {200}, load.statuses
            assert load.refused == []
            assert [at for at in load.acknowledged if killed_at < at < killed_at + back_s], (
                "nothing was accepted while it was away"
            )
            assert api.delete(f"{path}/participants/{PROBE}", headers={"Prefer": "wait=10"}).status_code == 204
            load.check_table()
            view = eventually(lambda: (v := gateway.get(path).json())["position"]["epoch"] > epoch and v)
            eventually(lambda: follower.top == shown(gateway, tournament))
        assert follower.epochs == sorted(set(follower.epochs))
        assert follower.epochs[0] == epoch
        assert follower.epochs[-1] == view["position"]["epoch"]
        assert follower.connections == 1  # the crash of an owner is nothing to a socket
        assert api.post(f"{path}/cancel", headers={"Prefer": "wait=10"}).status_code == 200
