"""`Operations` over an in-process Palio: one owner, one reader of the log, and whatever servers a test says there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from actors.domain.delivery import scope_name
from storage.ports import (
    Finding,
    IngestReport,
    OwnerReport,
    PartitionReport,
    ScopeReport,
    Shards,
)
from tests.support.inprocess_records import EPOCH

if TYPE_CHECKING:
    from tests.support.inprocess import InProcessPalio


class InProcessOperations:
    """`behind` records of each partition are not applied; `away` owners do not answer; `asked` counts looks at the servers."""

    def __init__(self, palio: InProcessPalio) -> None:
        self._palio = palio
        self.behind = 0
        self.away: list[str] = []
        self.found = [Finding("log", "ok", "in memory")]
        self.placed: Shards | None = None
        self.asked = 0

    async def owners(self) -> list[OwnerReport]:
        scopes = []
        for partition, bound in (await self._palio.log.bounds()).items():
            applied = bound.last - self.behind
            scope = ScopeReport(
                scope=scope_name(partition, 0),
                epoch=EPOCH,
                applied=applied,
                durable=applied,
                ready=True,
                closed=False,
                tournaments=sum(state.partition == partition for state in self._palio.states.values()),
            )
            scopes.append(scope)
        owner = OwnerReport(
            name="shard-0",
            node="here",
            process=1,
            scopes=tuple(scopes),
            active_tournaments=len(self._palio.states),
        )
        return [owner, *(OwnerReport(name=name, state="missing: there is no such actor") for name in self.away)]

    async def ingests(self, ends: Mapping[int, int]) -> list[IngestReport]:
        oldest = self._palio.now_ms - 1500 if self.behind else None
        partitions = tuple(
            PartitionReport(partition=partition, lag_records=self.behind, oldest_ms=oldest, stopped=False)
            for partition in ends
        )
        return [IngestReport(name="ingest-0", node="here", process=2, partitions=partitions)]

    async def findings(self) -> list[Finding]:
        self.asked += 1
        return self.found

    async def shards(self) -> Shards | None:
        return self.placed
