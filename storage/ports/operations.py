"""Operations: what operators look at: which process holds what and how far it is, and how the servers answer.

Guarantees
- Nothing here changes anything, and no answer takes much longer than the timeouts of those who are asked.
- Whoever does not answer is told of, with the reason: one that is away never hides the others.
- Answers of different parts are of different moments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import msgspec

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


class Finding(NamedTuple):
    """What was found of one subject; `state` is `ok`, `note` (it works, but not for everything) or `wrong`; `to_do` empty if nothing is."""

    subject: str
    state: str
    found: str
    to_do: str = ""


class ShardServer(NamedTuple):
    """A server of the records' shards. `answer_ms` None: it does not answer, `error` says why. `behind`: a replica that lacks something."""

    shard: int
    role: str
    address: str
    answer_ms: float | None
    behind: bool | None
    error: str


class ShardPlace(NamedTuple):
    """The shard that holds a partition of the log; `moving_to`: it is being moved there."""

    partition: int
    shard: int
    moving_to: int | None


class Shards(NamedTuple):
    """Servers in order of their shards, and where partitions lie: none where nobody can say."""

    servers: list[ShardServer]
    places: list[ShardPlace]


class Operations(Protocol):
    """See the module's guarantees."""

    async def owners(self) -> list[OwnerReport]:
        """Every owner that there should be or is, whether it answers or not."""

    async def ingests(self, ends: Mapping[int, int]) -> list[IngestReport]:
        """The same of those who read the log; `ends` are the log's last offsets."""

    async def findings(self) -> list[Finding]:
        """How every configured server answers, and what else a running Palio can say of its own surroundings."""

    async def shards(self) -> Shards | None:
        """The shards of the records; None where the records have none."""
