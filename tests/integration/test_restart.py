"""Stopped, or killed as a whole in mid-load, and started again on the same data: all is as the log says, byte for byte."""

from __future__ import annotations

import asyncio
import time

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.delivery import ControlItem
from actors.domain.fold import apply
from actors.domain.tournament import Tournament
from actors.parse import Parser
from cluster.parts import open_log, open_records, signer_of
from cluster.settings import Settings
from storage.base import DeadLetter
from tests.integration.conftest import create, eventually, join, stamp, submit
from tests.support.load import Load
from tests.support.running import RunningPalio


async def fold_of(settings: Settings) -> dict[int, Tournament]:
    """The pure fold of everything in the log."""
    log = open_log(settings)
    parser = Parser(signer_of(settings), settings.partitions)
    states: dict[int, Tournament] = {}
    for partition in range(settings.partitions):
        after = -1
        while (log_range := await log.read(partition, after, 1000)).upto > after:
            after = log_range.upto
            for record in log_range.records:
                parsed = parser.parse(record)
                assert not isinstance(parsed, DeadLetter), parsed
                tournament = parsed.item.tournament_id
                if not tournament:
                    continue  # a claim of the partition
                if isinstance(parsed.item, ControlItem) and tournament not in states:
                    states[tournament] = apply(None, tournament, partition, parsed.item)[0]
                else:
                    apply(states[tournament], tournament, partition, parsed.item)
    await log.close()
    return states


async def compare_with_the_store(settings: Settings) -> int:
    """The stored snapshots against the fold; returns how many tournaments there are."""
    states = await fold_of(settings)
    records = await open_records(settings)
    for tournament, state in states.items():
        stored = await records.snapshot(tournament)
        assert stored is not None, tournament
        assert stored.data == encode_snapshot(state), (tournament, stored.offset, state.offset)
        assert encode_snapshot(decode_snapshot(stored.data)) == stored.data
    await records.close()
    return len(states)


@pytest.fixture
def stage(tmp_path):
    running = RunningPalio(tmp_path / "data", PALIO_LOG_KEEP_S="86400")
    yield running
    running.stop()


def test_everything_is_killed_and_started_again(stage):
    stage.start()
    with stage.client() as client:
        ending = create(client, ends_at=stamp(20))
        join(client, ending, 1, 2)
        submit(client, ending, 1, "a", 10)
        submit(client, ending, 2, "a", 20)
        alone = create(client, placement="dedicated")
        join(client, alone, 1)
        submit(client, alone, 1, "a", 30.5)
        busy = create(client)
        join(client, busy, *range(1, 21))
        epoch = client.get(f"/v1/tournaments/{busy}").json()["position"]["epoch"]
    with Load(stage, busy, range(1, 21)) as load:
        time.sleep(2)
    stage.kill()
    assert not stage.pids("")
    time.sleep(12)  # its end passes while everything is down
    stage.start()
    with stage.client() as client:
        load.check_table()
        view = eventually(lambda: (v := client.get(f"/v1/tournaments/{ending}").json())["status"] == "finished" and v)
        assert [(row["user_id"], row["score"]) for row in view["top"]] == [("2", 20), ("1", 10)]
        assert view["finished_at"] == view["ends_at"]
        assert client.get(f"/v1/tournaments/{alone}").json()["top"][0]["score"] == 30.5
        assert client.get(f"/v1/tournaments/{busy}").json()["position"]["epoch"] > epoch
    assert stage.stop() == 0
    assert asyncio.run(compare_with_the_store(Settings(data_dir=stage.data))) == 3


def test_a_clean_stop_loses_nothing(stage):
    stage.start()
    with stage.client() as client:
        tournament = create(client)
        join(client, tournament, 1)
        answer = client.post(
            f"/v1/tournaments/{tournament}/scores", json={"event_id": "last", "user_id": "1", "score": 1.5}
        )
        assert answer.status_code == 202
    assert stage.stop() == 0
    assert not stage.pids("")
    stage.start()
    with stage.client() as client:
        eventually(lambda: client.get(f"/v1/tournaments/{tournament}/participants/1").json().get("score") == 1.5)
    assert stage.stop() == 0
    assert asyncio.run(compare_with_the_store(Settings(data_dir=stage.data))) == 1
