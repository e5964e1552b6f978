"""New replicas of the entrypoints of a running Palio: `scripts/palio redeploy`."""

from __future__ import annotations

import time

import pytest

from tests.integration.conftest import create, eventually, join, shown
from tests.support.load import Load
from tests.support.running import RunningPalio
from tests.support.watcher import Follower

USERS = range(1, 21)
GATEWAY = "ray::ServeReplica:gateway"
API = "ray::ServeReplica:api"


@pytest.mark.parametrize("replicas", [1, 2])
def test_no_request_fails_and_watchers_come_back(stage: RunningPalio, replicas: int) -> None:
    least = {"PALIO_GATEWAY_REPLICAS_MIN": str(replicas)}
    if replicas > 1:
        stage.redeploy(**least)
    with stage.client() as api, stage.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS)
        before = set(stage.pids(GATEWAY)), set(stage.pids(API))
        with Follower(stage, tournament) as follower:
            with Load(stage, tournament, USERS) as load:
                time.sleep(1)
                stage.redeploy(**least)
                eventually(lambda: not (before[0] & set(stage.pids(GATEWAY)) or before[1] & set(stage.pids(API))))
                time.sleep(1)
            assert len(stage.pids(GATEWAY)) == replicas
            assert {status for _, _, status in load.reads} == {200}, load.statuses
            assert load.refused == []
            load.check_table()
            eventually(lambda: follower.top == shown(gateway, tournament))
            assert follower.connections >= 2
            assert len(follower.epochs) == 1  # the owners went on


def test_what_is_not_of_the_entrypoints_is_refused(stage: RunningPalio) -> None:
    with pytest.raises(AssertionError, match=r"PALIO_SHARDS.*only a restart"):
        stage.redeploy(PALIO_SHARDS="7")
    assert stage.well()
