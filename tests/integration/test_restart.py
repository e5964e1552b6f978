"""Stopped, or killed as a whole in mid-load, and started again on the same data: all is as the log says, byte for byte."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.fold import apply
from actors.domain.tournament import Tournament
from actors.ingest.parse import Parsed, Parser
from cluster.config.settings import Settings
from cluster.startup.ports import open_log, open_records, signer_of
from tests.integration.conftest import create, eventually, join, stamp, submit
from tests.support.load import Load
from tests.support.running import NO_LIMITS, WHOLE_LOG, RunningPalio

USERS = range(1, 21)
ENDS_IN_S = 25.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningPalio]:
    """A Palio whose log keeps everything."""
    running = RunningPalio(tmp_path / "data", **WHOLE_LOG, **NO_LIMITS)
    yield running
    running.stop()


async def hold_against_the_log(settings: Settings) -> dict[str, str]:
    """Each stored snapshot is, byte for byte, what a pure fold of the log's records up to its offset gives. Returns each status."""
    log, records = open_log(settings), await open_records(settings)
    parser = Parser(signer_of(settings), settings.partitions)
    states: dict[int, Tournament] = {}
    equal: dict[int, bool] = {}
    for partition in range(settings.partitions):
        after = -1
        while (log_range := await log.read(partition, after, 1000)).upto > after:
            after = log_range.upto
            for record in log_range.records:
                parsed = parser.parse(record)
                assert isinstance(parsed, Parsed), parsed
                tournament = parsed.item.tournament_id
                if not tournament:
                    continue  # a claim of the partition
                state = states[tournament] = apply(states.get(tournament), tournament, partition, parsed.item)[0]
                stored = (await records.snapshots(tournament))[0]
                if state.offset == stored.offset:
                    equal[tournament] = stored.data == encode_snapshot(state)
    assert equal == dict.fromkeys(states, True)
    statuses = {}
    for tournament in states:
        stored, row = (await records.snapshots(tournament))[0], await records.tournament(tournament)
        assert row is not None
        state = decode_snapshot(stored.data)
        assert encode_snapshot(state) == stored.data
        assert (row.status, row.participants) == (state.status, state.members.joined)
        statuses[str(tournament)] = str(state.status)
    await log.close()
    await records.close()
    return statuses


def endings(data: Path, tournament: str) -> list[str]:
    """What was released to the world of a tournament's end: its outbox rows, or what the archive made of them."""
    with sqlite3.connect(f"file:{data / 'records.db'}?mode=ro", uri=True) as database:
        wanted = "FROM outbox WHERE tournament_id = ? AND kind IN ('finished', 'cancelled')"
        rows = database.execute(f"SELECT kind {wanted}", (int(tournament),)).fetchall()
        taken = "SELECT 'finished' FROM archives WHERE tournament_id = ?"
        rows = rows or database.execute(taken, (int(tournament),)).fetchall()
    return [kind for (kind,) in rows]


@pytest.mark.timeout(900)
def test_everything_is_killed_in_mid_load_and_started_again(own: RunningPalio) -> None:
    own.start()
    with own.client() as client:
        ending = create(client, ends_at=stamp(ENDS_IN_S), ties="shared")
        ends_at = time.monotonic() + ENDS_IN_S
        join(client, ending, 1, 2, 3)
        for user, score in ((1, 10), (2, 20), (3, 20)):
            submit(client, ending, user, "a", score)
        waiting = client.post(
            "/v1/tournaments", json={"name": "Instant", "type": "instant", "capacity": 2, "duration_s": 600}
        ).json()["id"]
        join(client, waiting, 1)
        alone = create(client, placement="dedicated")
        join(client, alone, 1)
        submit(client, alone, 1, "a", 30.5)
        busy = create(client)
        join(client, busy, *USERS)
        epochs = {name: client.get(f"/v1/tournaments/{name}").json()["position"]["epoch"] for name in (busy, alone)}
    with Load(own, busy, USERS) as load:
        time.sleep(2)
        own.kill()
        while time.monotonic() < ends_at + 0.5:  # an end passes while everything is down
            time.sleep(0.1)
        before = len(load.acknowledged)
        own.start()
        eventually(lambda: len(load.acknowledged) > before + 20)
    load.check_table()
    with own.client() as client:
        view = eventually(lambda: (v := client.get(f"/v1/tournaments/{ending}").json())["status"] == "finished" and v)
        assert [(row["rank"], row["user_id"], row["score"]) for row in view["top"]] == [
            (1, "2", 20),
            (1, "3", 20),
            (3, "1", 10),
        ]
        assert view["finished_at"] == view["ends_at"]
        assert submit(client, ending, 1, "late", 99)["reason"] == "ended"
        assert client.get(f"/v1/tournaments/{alone}").json()["top"][0]["score"] == 30.5
        assert submit(client, alone, 1, "a", 99)["reason"] == "duplicate"
        join(client, waiting, 2)
        assert client.get(f"/v1/tournaments/{waiting}").json()["status"] == "running"
        for name, epoch in epochs.items():
            assert client.get(f"/v1/tournaments/{name}").json()["position"]["epoch"] > epoch
            epochs[name] = client.get(f"/v1/tournaments/{name}").json()["position"]["epoch"]
        # the last word before a clean stop is nobody's but the log's
        last = {"event_id": "last", "user_id": "1", "score": 77.25}
        assert client.post(f"/v1/tournaments/{alone}/scores", json=last).status_code == 202
    assert own.stop() == 0
    assert own.pids("") == []
    assert not [line for line in own.output if "Traceback" in line or "failed" in line]
    assert asyncio.run(hold_against_the_log(Settings(data_dir=own.data))) == {
        ending: "finished",
        waiting: "running",
        alone: "running",
        busy: "running",
    }
    assert endings(own.data, ending) == ["finished"]
    assert endings(own.data, busy) == []

    own.start()
    load.check_table()
    with own.client() as client:
        eventually(lambda: client.get(f"/v1/tournaments/{alone}").json()["top"][0]["score"] == 77.25)
        for name, epoch in epochs.items():
            assert client.get(f"/v1/tournaments/{name}").json()["position"]["epoch"] > epoch
        assert client.get(f"/v1/tournaments/{ending}").json()["status"] == "finished"
        assert client.post(f"/v1/tournaments/{busy}/end", headers={"Prefer": "wait=10"}).json()["status"] == "finished"
    own.kill_main()  # Ray's processes go with it
    statuses = asyncio.run(hold_against_the_log(Settings(data_dir=own.data)))
    assert statuses[busy] == "finished"  # what was said to be finished is durable, whatever happened right after
    assert endings(own.data, busy) == ["finished"]
