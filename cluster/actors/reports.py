"""What the actors of a running Palio tell about themselves, to whoever looks on (`storage.ports.operations`)."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Mapping

from actors.domain.delivery import scope_name
from actors.ingest.ingest import Ingest
from actors.owner.owner import Owner
from storage.ports import IngestReport, OwnerReport, PartitionReport, ScopeReport


def owner_report(owner: Owner, now_ms: int) -> OwnerReport:
    """What an owner tells."""
    active = Counter(id(entity.scope) for entity in owner.tournaments.active.values())
    return OwnerReport(
        name=owner.name,
        node=socket.gethostname(),
        process=os.getpid(),
        scopes=tuple(
            ScopeReport(
                scope=scope_name(scope.partition, scope.tournament),
                epoch=scope.epoch,
                applied=scope.watermark,
                durable=scope.durable,
                ready=scope.ready,
                closed=scope.closed,
                tournaments=active[id(scope)],
            )
            for scope in owner.scopes()
        ),
        active_tournaments=len(owner.tournaments.active),
        unsaved_tournaments=owner.checkpointer.dirty,
        checkpoint_age_s=max(0, now_ms - owner.checkpointer.last_round_ms) / 1000,
        checkpoint_failures=owner.checkpointer.failures,
        outcomes={"/".join(filter(None, key)): total for key, total in sorted(owner.outcomes.items())},
    )


def starting_report(name: str) -> OwnerReport:
    """What an owner tells that has not taken its scopes yet."""
    return OwnerReport(name=name, state="starting", node=socket.gethostname(), process=os.getpid())


def ingest_report(name: str, ingest: Ingest, ends: Mapping[int, int]) -> IngestReport:
    """What an ingest actor tells; `ends` are the log's last offsets."""
    lag, oldest = ingest.progress.lag_records(ends), ingest.progress.oldest_unapplied_ms()
    return IngestReport(
        name=name,
        node=socket.gethostname(),
        process=os.getpid(),
        buffered_records=ingest.windows.buffered(),
        dead_letters=ingest.letters.total,
        partitions=tuple(
            PartitionReport(
                partition=partition,
                lag_records=lag.get(partition, 0),
                oldest_ms=oldest.get(partition),
                stopped=partition in ingest.stopped,
            )
            for partition in ingest.windows
        ),
    )
