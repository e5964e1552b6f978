"""`RunningActors` over handles of the test's own: each actor's report, or why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from ray.exceptions import RayActorError, RaySystemError

from actors.director.director import Plan
from cluster.actors.running_actors import RunningActors
from cluster.startup.ports import NAMESPACE
from storage.ports import IngestReport, OwnerReport

PLAN = Plan(partitions=8, shards=3, ingests=1, max_dedicated=1, dedicated_capacity=10_000)


class Handles:
    """Named actors: what each does when it is called."""

    def __init__(self, **actors: Callable[..., Any]) -> None:
        self.actors = {name.replace("_", "-"): answer for name, answer in actors.items()}

    async def call(self, name: str, method: str, *arguments: Any) -> Any:
        assert method == "report"
        if name not in self.actors:
            raise ValueError(f"no actor {name}")
        return await self.actors[name](*arguments)


def actors_of(monkeypatch: pytest.MonkeyPatch, **actors: Callable[..., Any]) -> RunningActors:
    named = [{"name": name.replace("_", "-"), "namespace": NAMESPACE} for name in actors]
    named += [{"name": "tournament-5", "namespace": "of-others"}]
    monkeypatch.setattr("ray.util.list_named_actors", lambda *, all_namespaces: named if all_namespaces else [])
    running = RunningActors(PLAN, 0.05)
    running._handles = Handles(**actors)  # type: ignore[assignment]
    return running


def raising(error: Exception) -> Callable[..., Any]:
    async def answer(*_: Any) -> None:
        raise error

    return answer


async def test_every_owner_there_should_be_or_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def well() -> OwnerReport:
        return OwnerReport(name="shard-0", process=7)

    async def silent() -> None:
        await asyncio.Event().wait()

    actors = actors_of(
        monkeypatch,
        shard_0=well,
        shard_1=silent,
        tournament_77=raising(RayActorError()),
        tournament_9=raising(AttributeError("report")),
    )
    assert await actors.owners() == [
        OwnerReport(name="shard-0", process=7),
        OwnerReport(name="shard-1", state="no answer within 0.05 s"),
        OwnerReport(name="shard-2", state="missing: there is no such actor"),
        OwnerReport(name="tournament-77", state="no answer: RayActorError"),
        OwnerReport(name="tournament-9", state="no report: it is of another version of Palio"),
    ]


async def test_ingest_is_told_where_the_log_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def well(ends: dict[int, int]) -> IngestReport:
        return IngestReport(name="ingest-0", buffered_records=ends[3])

    assert await actors_of(monkeypatch, ingest_0=well).ingests({3: 9}) == [
        IngestReport(name="ingest-0", buffered_records=9)
    ]
    away = actors_of(monkeypatch, ingest_0=raising(RaySystemError("gone")))
    assert await away.ingests({}) == [IngestReport(name="ingest-0", state="no answer: RaySystemError")]
