"""The durable store: snapshots, and the records that people query (tournaments, participants, outbox).

Guarantees
- Atomicity: a `Checkpoint` is of one partition of the log, and a `save` is one transaction: snapshots, rows, outbox and projected offsets,
  whole or not at all.
- Isolation: partitions may lie on different servers (shards), and be moved between them. One that is away, or being moved, is missed by
  the calls that are about its partitions, and by lists over all; every other call goes on.
- Order and fencing: a tournament's row and snapshot are replaced only by those of a higher or equal `offset`; its `epoch` and a projected
  offset only grow. So a stale owner can write nothing but what the log already made true.
- Duplicates: saving the same checkpoint again changes nothing. Outbox rows are keyed (tournament, offset, n), and one at or below
  the tournament's stored offset is not written again: it may have been released since.
- Loss: what `save` returned from survives the loss of every process and of the machine's power.
- Reads see every `save` that has returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from storage.ports.errors import RecordsUnavailableError


class TournamentRow(NamedTuple):
    """A tournament as listed. Times in ms since 1970; `spec` is the encoded `actors.domain.messages.Spec`."""

    tournament_id: int
    partition: int
    offset: int
    epoch: int
    name: str
    type: str
    visibility: str
    status: str
    dedicated: bool
    creator: int
    created_ms: int
    starts_ms: int | None
    ends_ms: int | None
    finished_ms: int | None
    capacity: int | None
    participants: int
    version: int
    revision: int
    spec: bytes


class ParticipantRow(NamedTuple):
    """A participant as queried by user; scores in hundredths, `rank` only once the tournament has finished, `subscore` where it has them."""

    tournament_id: int
    user_id: int
    name: str | None
    active: bool
    score: int | None
    attempts: int
    scored_ms: int | None
    joined_ms: int
    rank: int | None
    subscore: int | None = None


class OutboxRow(NamedTuple):
    """An effect to release once this transaction is durable; `n` numbers the effects of one record."""

    tournament_id: int
    offset: int
    n: int
    kind: str
    payload: bytes


class StoredSnapshot(NamedTuple):
    """A tournament's encoded snapshot (see `actors.domain.codec`) as of `offset` of its partition. `alone`: none before it is kept, since
    what they hold was erased.

    To be saved, `data` with `after` is a delta: what changed since that offset, at which the newest snapshot or delta must stand. As read,
    `data` is a whole snapshot, and `deltas` those that follow it, up to `offset`.
    """

    tournament_id: int
    partition: int
    offset: int
    data: bytes
    alone: bool = False
    after: int | None = None
    deltas: tuple[bytes, ...] = ()


class Checkpoint(NamedTuple):
    """One transaction, about one partition. `projected` holds (scope, partition, offset), the scope `partition-<p>` or `tournament-<id>`."""

    tournaments: Sequence[TournamentRow]
    snapshots: Sequence[StoredSnapshot]
    participants: Sequence[ParticipantRow]
    outbox: Sequence[OutboxRow]
    projected: Sequence[tuple[str, int, int]]


OVER_EFFECTS: Final = ("finished", "cancelled")  # kinds of outbox rows: a tournament is over, or what is was changed
UNLISTED_TYPES: Final = ("series", "cohort")  # of rows that lists leave out unless they are asked for


class ListQuery(NamedTuple):
    """A page of tournaments, newest first. `cursor` is opaque; `q` is looked for in names, ignoring case. `type` None: all but UNLISTED_TYPES.

    `viewer` None sees public ones only, a user also the private ones they take part in; `see_all` sees everything.
    """

    status: str | None = None
    type: str | None = None
    q: str | None = None
    cursor: str | None = None
    limit: int = 50
    viewer: int | None = None
    see_all: bool = False


class Page(NamedTuple):
    """Rows and the cursor of the next page, None at the end."""

    rows: list[TournamentRow]
    next_cursor: str | None


class Records(Protocol):
    """See the module's guarantees. Every method raises RecordsUnavailableError when the store does not answer."""

    async def save(self, checkpoint: Checkpoint) -> None:
        """Write one checkpoint. Raises ValueError, with nothing written, for one of several partitions or of none, and for participants or
        outbox rows of a tournament whose row is not in it: that row's offset is what fences them. RecordsUnavailableError: it may have been
        written all the same; to save it again is always right. Where a delta does not follow what is stored, which is older, it was not
        written: the snapshot is to be saved whole."""

    async def save_each(self, checkpoints: Sequence[Checkpoint]) -> list[RecordsUnavailableError | None]:
        """As `save` of each: what kept each of them from being written, None for what was. Several may share a transaction, and then the
        reason; one of them alone then may be what was wrong."""

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """The snapshots kept of a tournament (the newest and the one before), newest first: a damaged one is passed over. One with deltas
        is there with all of them, then with all but the last, and so on."""

    async def snapshots_of(self, partition: int, tournament_ids: Sequence[int]) -> dict[int, list[StoredSnapshot]]:
        """As `snapshots` of many tournaments of a partition; those that have none are left out."""

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """As `snapshots`, from a replica known to hold every commit that `save` returned from and all up to the offsets that `projected`
        gave. So, to one who holds every tournament since those offsets that is not over, what is over here is final, and what is not here
        was never made. Raises RecordsUnavailableError when there is no such replica."""

    async def shown_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """As `snapshots`, to show and for nothing else: while the primary is away they come from any replica, which may lack the newest. Who
        recovers from these would lose records."""

    async def active(self, partition: int, *, dedicated: bool) -> list[int]:
        """Ids of the tournaments of a partition that are neither finished nor cancelled."""

    async def projected(self, partition: int, scopes: Sequence[str]) -> dict[str, int]:
        """The projected offset of each scope of a partition, -1 where none was saved."""

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]:
        """Effects not yet released, by (tournament, offset, n): of one tournament, or of all. Attempts are not among them
        (`storage.ports.attempts`)."""

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        """One tournament's row."""

    async def list_tournaments(self, query: ListQuery) -> Page:
        """A page of tournaments. Raises ValueError for a cursor that is not one of ours."""

    async def user_tournaments(
        self, user_id: int, cursor: str | None, limit: int
    ) -> tuple[list[tuple[TournamentRow, ParticipantRow]], str | None]:
        """A user's tournaments (active participation only), newest joined first, with the next cursor; of what has left for the archive,
        too, without the participant's name, which is in the archive alone."""

    async def took_part(self, user_id: int, after: int, limit: int) -> list[int]:
        """Tournaments in which a user takes part, or did before leaving, by id, beyond one."""

    async def close(self) -> None:
        """Release connections. A second call does nothing."""
