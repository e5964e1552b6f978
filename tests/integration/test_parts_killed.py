"""kill -9 of ingest, director, broker and entrypoints in mid-load: nothing acknowledged is lost or counted twice, and all works again."""

from __future__ import annotations

import time

import pytest

from tests.integration.conftest import applied_within_s, create, eventually, join, shown, submit
from tests.support.load import Load
from tests.support.running import RunningPalio
from tests.support.watcher import Follower

USERS = range(1, 21)
PROBE = 99


def all_works(stage: RunningPalio) -> None:
    """What needs every part: a dedicated tournament from its creation to its end, at both entrypoints."""
    with stage.client() as api, stage.client(gateway=True) as gateway:
        before = set(stage.pids("ray::TournamentActor"))
        tournament = create(api, placement="dedicated")
        join(api, tournament, 1)
        assert submit(gateway, tournament, 1, "a", 5)["outcome"] == "applied"
        ended = api.post(f"/v1/tournaments/{tournament}/end", headers={"Prefer": "wait=10"})
        assert (ended.status_code, ended.json()["status"]) == (200, "finished")
        eventually(lambda: set(stage.pids("ray::TournamentActor")) <= before)


@pytest.mark.parametrize("part", ["ray::IngestActor", "ray::DirectorActor", "ray::UpdatesActor"])
def test_a_part_behind_the_entrypoints_is_killed(stage: RunningPalio, part: str) -> None:
    with stage.client() as api, stage.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS, PROBE)
        with Follower(stage, tournament) as follower:
            with Load(stage, tournament, USERS) as load:
                time.sleep(1)
                doomed = stage.kill_actors(part)
                back_s = applied_within_s(gateway, tournament, PROBE, time.monotonic())
                eventually(lambda: set(stage.pids(part)) - set(doomed))
                time.sleep(1)
            print(f"\n{part}: applying after {back_s:.2f} s")
            assert {status for _, _, status in load.reads} == {200}, load.statuses
            assert load.refused == []
            assert api.delete(f"/v1/tournaments/{tournament}/participants/{PROBE}").status_code in (202, 204)
            load.check_table()
            eventually(lambda: follower.top == shown(gateway, tournament))
        assert follower.connections == 1
    all_works(stage)


def test_the_gateway_is_killed(stage: RunningPalio) -> None:
    with stage.client() as api, stage.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS)
        with Follower(stage, tournament) as follower:
            with Load(stage, tournament, USERS) as load:
                time.sleep(1)
                doomed = stage.kill_actors("ray::ServeReplica:gateway")
                killed_at = time.monotonic()
                eventually(lambda: load.acknowledged[-1] > killed_at + 1 and stage.well(), 120)
                eventually(lambda: follower.connections > 1)
                time.sleep(1)
            assert set(stage.pids("ray::ServeReplica:gateway")) - set(doomed)
            by_api = {status for _, what, status in load.reads if what.startswith("api")}
            assert by_api == {200}, load.statuses  # the other entrypoint does not notice
            back_at = min(at for at in load.acknowledged if at > killed_at)
            print(f"\ngateway: acknowledging after {back_at - killed_at:.2f} s")
            load.check_table()
            eventually(lambda: follower.top == shown(gateway, tournament))
    all_works(stage)


def test_the_api_is_killed(stage: RunningPalio) -> None:
    with stage.client() as api:
        tournament = create(api)
        join(api, tournament, *USERS)
    with Load(stage, tournament, USERS) as load:
        time.sleep(1)
        stage.kill_actors("ray::ServeReplica:api")
        time.sleep(2)
        eventually(stage.well, 120)
        time.sleep(1)
    by_gateway = {status for _, what, status in load.reads if what.startswith("gateway")}
    assert by_gateway == {200}, load.statuses  # the other entrypoint does not notice
    assert load.refused == []
    load.check_table()
    all_works(stage)
