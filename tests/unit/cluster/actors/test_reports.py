from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest_asyncio

from actors.domain.messages import ScoreWire
from cluster.actors.reports import ingest_report, owner_report, starting_report
from cluster.config.settings import Settings
from storage.ports import RUNNING, IngestReport, NewRecord, OwnerReport, PartitionReport
from tests.support.small_palio import SmallPalio, small_palio

SHARED, DEDICATED = 7, 8


@pytest_asyncio.fixture
async def palio(tmp_path: Path) -> AsyncIterator[SmallPalio]:
    settings = Settings(data_dir=tmp_path, partitions=1, shards=1, ingest_actors=1)
    async with small_palio(settings) as palio:
        await palio.create(SHARED, users=(42,))
        await palio.create(DEDICATED, users=(42,), dedicated=True)
        for tournament, user in ((SHARED, 42), (SHARED, 43), (DEDICATED, 42)):
            await palio.append(tournament, ScoreWire(event_id="a", user_id=str(user), score=9.5))
        await palio.log.append([NewRecord(0, b"7", b"no JSON")])
        await palio.applied()
        yield palio


async def test_an_owner_tells_of_each_scope(palio: SmallPalio) -> None:
    owner = palio.owner
    report = owner_report(owner, owner.checkpointer.last_round_ms + 1500)
    assert (report.name, report.state, report.node, report.process) == (
        "shard-0",
        RUNNING,
        socket.gethostname(),
        os.getpid(),
    )
    assert report.checkpoint_age_s == 1.5
    assert (report.active_tournaments, report.checkpoint_failures) == (2, 0)
    assert report.outcomes["ignored/not_joined"] == 1
    assert report.outcomes["applied"] == owner.outcomes["applied", ""]
    scopes = {scope.scope: scope for scope in report.scopes}
    assert set(scopes) == {"partition-0", "tournament-8"}
    for scope in scopes.values():
        assert (scope.tournaments, scope.ready, scope.closed) == (1, True, False)
        assert scope.epoch <= scope.applied
    assert msgspec.json.decode(msgspec.json.encode(report), type=OwnerReport) == report


def test_an_owner_that_starts_knows_its_name_and_where_it_is() -> None:
    report = starting_report("shard-3")
    assert report == OwnerReport(name="shard-3", state="starting", node=socket.gethostname(), process=os.getpid())


async def test_ingest_tells_how_far_each_partition_is(palio: SmallPalio) -> None:
    ends = {partition: bounds.last for partition, bounds in (await palio.log.bounds()).items()}
    report = ingest_report("ingest-0", palio.ingest, {0: ends[0] + 3})
    assert (report.name, report.state, report.dead_letters) == ("ingest-0", RUNNING, 1)
    assert report.partitions == (PartitionReport(partition=0, lag_records=3, oldest_ms=None, stopped=False),)
    assert msgspec.json.decode(msgspec.json.encode(report), type=IngestReport) == report
