"""What the actors of a running Palio tell about themselves, to whoever debugs (`cluster.inspection`)."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from actors.domain.delivery import scope_name
from actors.ingest.ingest import Ingest
from actors.owner.owner import Owner

RUNNING: Final = "running"


class ScopeReport(msgspec.Struct, frozen=True, kw_only=True):
    """A scope that an owner holds: `epoch` is the offset of its claim, `applied` and `durable` are offsets, `tournaments` how many are not
    over. It answers reads once it is `ready`; a `closed` one is a dedicated tournament that is over and durable."""

    scope: str
    epoch: int
    applied: int
    durable: int
    ready: bool
    closed: bool
    tournaments: int


class OwnerReport(msgspec.Struct, frozen=True, kw_only=True):
    """An owner; `state` is `running`, `starting`, or why it does not answer, and then nothing else is known."""

    name: str
    state: str = RUNNING
    node: str = ""
    process: int = 0
    scopes: tuple[ScopeReport, ...] = ()
    active_tournaments: int = 0
    unsaved_tournaments: int = 0
    checkpoint_age_s: float = 0.0
    checkpoint_failures: int = 0
    outcomes: dict[str, int] = {}  # records by what they came to: `applied`, `ignored/not_joined`, ...


class PartitionReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition is: `lag_records` offsets of its slowest scope behind the log's end; `oldest_ms` is when the first record was
    appended that is read and not applied (ms since 1970). A `stopped` one lost records that nobody had applied."""

    partition: int
    lag_records: int
    oldest_ms: int | None
    stopped: bool


class IngestReport(msgspec.Struct, frozen=True, kw_only=True):
    """An ingest actor; `state` as of an owner."""

    name: str
    state: str = RUNNING
    node: str = ""
    process: int = 0
    buffered_records: int = 0
    dead_letters: int = 0  # since it started
    partitions: tuple[PartitionReport, ...] = ()


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
