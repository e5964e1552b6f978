"""An owner is stopped, replaced, and wakes with something to write: all of that is refused, or harmless."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from decimal import Decimal
from typing import Any, NamedTuple

import httpx2
import psutil
import pytest
import redis
from prometheus_client.mmap_dict import MmapedDict

from actors.domain.delivery import ControlItem
from actors.domain.messages import Claim, Tick
from actors.domain.values import partition_of
from actors.owner.publisher import WATCHED_MS
from cluster.config.settings import Settings
from cluster.startup.ports import metrics_dir
from scripts.local_servers.settings import settings_of
from tests.integration.conftest import create, eventually, join, shown, stamp
from tests.support.load import Load
from tests.support.ray_nodes import RayNodes
from tests.support.real_servers import RealServers
from tests.support.running import RunningPalio, kill_9
from tests.support.stored import parsed_of, rows_of, selected
from tests.support.watcher import Follower

USERS = range(1, 21)
OWNER = "ray::TournamentActor"
ENDS_IN_S = 30.0
# Who slept for longer may publish nothing: it last looked who listens up to 5 s before, and that holds for 15 s.
LISTENED_S = WATCHED_MS / 1000 - 5
AWAKE_S = 3.0  # how long it is looked at: a few of its checkpoints and comparisons of read models


def test_an_owner_wakes_after_it_was_replaced(
    request: pytest.FixtureRequest,
    cluster: RunningPalio,
    real_servers: RealServers,
    nodes: RayNodes,
    plain_redis: redis.RedisCluster,
) -> None:
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament, owner, ends_at = dedicated_beside_the_head(cluster, nodes, api)
        join(api, tournament, *USERS)
        stored = Stored(real_servers, plain_redis, tournament)
        with Overheard(plain_redis, tournament) as overheard, Follower(cluster, tournament) as follower:
            with Load(cluster, tournament, USERS, rising=True) as load:
                time.sleep(1)
                first, raylet = follower.epochs[0], psutil.Process(owner).ppid()
                request.addfinalizer(lambda: replace_node(cluster, nodes, raylet))
                for pid in (raylet, owner):
                    os.kill(pid, signal.SIGSTOP)
                stopped_at = time.monotonic()
                before = written(cluster, owner)
                # what comes after the end would not count: on a busy machine it wakes after the load
                eventually(lambda: stored.row().epoch > first or time.monotonic() > ends_at - AWAKE_S - 2)
                seen = wake(owner, stored, overheard) if stored.row().epoch > first else None
            if seen is None:
                eventually(lambda: stored.row().epoch > first)
                seen = wake(owner, stored, overheard)
            # a delivery waited at its entrypoint, which it applied, though another owner had long done so, and wrote what came of it
            did = eventually(lambda: min(done := written(cluster, owner).minus(before)) > 0 and done)
            late = [frame for frame in seen.frames if frame.epoch == first]
            print(f"\nwoken, it did {did} and published {len(late)}; rows from {seen.rows[0]} to {seen.rows[-1]}")
            # its checkpoint changed nothing in MySQL, its read model nothing in Redis: what is stored only went on
            for column in (*zip(*seen.rows, strict=True), *zip(*seen.read_models, strict=True)):
                assert list(column) == sorted(column)
            assert seen.read_models[0].epoch > first
            # its updates reached Redis and no watcher: the follower would have met a gap, or an epoch again that was over
            assert late or seen.woken_at - stopped_at > LISTENED_S
            load.check_table()
            eventually(lambda: follower.top == shown(gateway, tournament))
            assert follower.epochs == sorted(set(follower.epochs))
            # the api's replica may be on the node that is cut off: what it was just answering is lost with it, until Serve has another
            failed = [what for _, what, status in load.reads if status != 200]
            assert len(failed) <= 5, load.statuses
            assert all(what.startswith("api ") for what in failed), load.statuses
            assert load.refused == []

        # it appends no claim, and ticks for an end that it never learns of; the table is exact, and was finished once
        eventually(lambda: api.get(f"/v1/tournaments/{tournament}").json()["status"] == "finished")
        settings = Settings(data_dir=cluster.data, **settings_of(real_servers.facts))
        assert psutil.pid_exists(owner)
        eventually(lambda: len(offsets_of(settings, tournament, Tick)) > 3)
        assert offsets_of(settings, tournament, Claim) == follower.epochs
        best = sorted(((score, user) for user, score in load.best.items()), reverse=True)
        table = [(user, Decimal(str(score)), rank) for rank, (score, user) in enumerate(best, 1)]
        assert rows_of(real_servers, tournament) == table
        ended = "SELECT kind FROM outbox WHERE tournament_id = %s AND kind IN ('finished', 'cancelled')"
        archived = "SELECT 'finished' FROM archives WHERE tournament_id = %s"  # what the archive made of that row
        ends = selected(real_servers, ended, tournament) or selected(real_servers, archived, tournament)
        assert ends == [("finished",)]


def replace_node(cluster: RunningPalio, nodes: RayNodes, raylet: int) -> None:
    """End what was cut off, and have another node for it."""
    for pid in nodes.kill(nodes.raylets.index(raylet)):
        kill_9(pid)
    nodes.add()
    eventually(cluster.well)


def dedicated_beside_the_head(cluster: RunningPalio, nodes: RayNodes, api: httpx2.Client) -> tuple[str, int, float]:
    """A tournament whose owner lives alone, on a node that may be cut off: its id, the owner's pid, when it ends."""
    before = set(cluster.pids(OWNER))
    while True:
        tournament, ends_at = create(api, placement="dedicated", ends_at=stamp(ENDS_IN_S)), time.monotonic() + ENDS_IN_S
        (owner,) = eventually(lambda: set(cluster.pids(OWNER)) - before)
        if psutil.Process(owner).ppid() in nodes.raylets[1:]:
            return tournament, owner, ends_at
        api.post(f"/v1/tournaments/{tournament}/end", headers={"Prefer": "wait=10"})
        eventually(lambda: set(cluster.pids(OWNER)) <= before)


class Row(NamedTuple):
    """Where a tournament stands in MySQL, and its projected offset."""

    offset: int
    epoch: int
    projected: int


class ReadModelAt(NamedTuple):
    """Where its read model in Redis stands."""

    epoch: int
    offset: int


class Stored:
    """What is stored of one tournament."""

    def __init__(self, servers: RealServers, plain_redis: redis.RedisCluster, tournament: str) -> None:
        self._servers, self._plain_redis, self._tournament = servers, plain_redis, tournament

    def row(self) -> Row:
        sql = "SELECT log_offset, epoch FROM tournaments WHERE tournament_id = %s"
        (row,) = selected(self._servers, sql, self._tournament)
        sql = "SELECT log_offset FROM projected WHERE scope = %s"
        (projected,) = selected(self._servers, sql, f"tournament-{self._tournament}")
        return Row(*row, *projected)

    def read_model(self) -> ReadModelAt:
        found: Any = self._plain_redis.hmget(f"tournament:{{{self._tournament}}}:state", "epoch", "offset")
        return ReadModelAt(*map(int, found))


class Seen(NamedTuple):
    """What was seen while it was awake, from `woken_at` on (monotonic)."""

    woken_at: float
    rows: list[Row]
    read_models: list[ReadModelAt]
    frames: list[Frame]


def wake(owner: int, stored: Stored, overheard: Overheard) -> Seen:
    """Let it go on, and look at what is stored and published meanwhile."""
    seen, before = Seen(time.monotonic(), [stored.row()], [stored.read_model()], []), len(overheard.frames)
    os.kill(owner, signal.SIGCONT)
    while time.monotonic() < seen.woken_at + AWAKE_S:
        seen.rows.append(stored.row())
        for _ in range(20):  # a wrong read model would be written anew in a moment
            seen.read_models.append(stored.read_model())
            time.sleep(0.002)
    return seen._replace(frames=overheard.frames[before:])


class Written(NamedTuple):
    """What a process has counted of what it applied, and of its own writes, refused ones too."""

    applied: float
    checkpoints: float
    read_model_changes: float

    def minus(self, before: Written) -> Written:
        return Written(*(now - then for now, then in zip(self, before, strict=True)))


def written(palio: RunningPalio, pid: int) -> Written:
    """From the process's own file of metrics."""
    path = metrics_dir(Settings(data_dir=palio.data)) / f"counter_{pid}.db"
    values = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
    found = {json.loads(key)[1]: value for key, value, *_ in values}
    names = ("palio_records_total", "palio_checkpoints_saved_total", "palio_copies_written_total")
    return Written(*(found[name] for name in names))


def offsets_of(settings: Settings, tournament: str, kind: type) -> list[int]:
    """Where a tournament's records of a kind are in the topic."""
    partition = partition_of(int(tournament), settings.partitions)
    records = asyncio.run(parsed_of(settings, [partition]))
    return [
        each.item.offset
        for each in records
        if isinstance(each.item, ControlItem)
        and isinstance(each.item.message, kind)
        and each.item.tournament_id == int(tournament)
    ]


class Frame(NamedTuple):
    """Where an update as published stands."""

    epoch: int
    seq: int


class Overheard:
    """All that is published of a tournament, as any subscriber of Redis hears it."""

    def __init__(self, plain_redis: redis.RedisCluster, tournament: str) -> None:
        self.frames: list[Frame] = []
        self._pubsub = plain_redis.pubsub()  # type: ignore[no-untyped-call]
        self._channel = f"tournament:{{{tournament}}}:updates"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Overheard:
        self._pubsub.ssubscribe(self._channel)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._pubsub.close()

    def _listen(self) -> None:
        while not self._stop.is_set():
            message = self._pubsub.get_sharded_message(timeout=0.1)
            if message is not None and message["type"] == "smessage":
                frame = json.loads(message["data"])
                self.frames.append(Frame(frame["epoch"], frame["seq"]))
