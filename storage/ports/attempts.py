"""The attempts of tournaments, as their owners told of them with each checkpoint, and how far analytics are with them.

Guarantees
- Atomicity: attempts are stored in the transaction of the snapshot that counts them (`Records.save`), as effects of a kind of their own; so
  there are none of a tournament that no snapshot has, and none is missing.
- Duplicates: an attempt may stand in several blocks (an owner that was replaced while it saved); its offset tells. `keep` again changes nothing.
- Order: a tournament waits from the save that changed it until a `keep` up to that offset. What comes later makes it wait again.
- Loss: none; blocks stay as long as their tournament does. `keep` may put them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from storage.ports.records import StoredSnapshot


class WaitingTournament(NamedTuple):
    """One that changed: up to which offset; `anew`: its series are to be made again from nothing; how many take part, about."""

    tournament_id: int
    offset: int
    anew: bool
    participants: int = 0


class StoredAttempts(NamedTuple):
    """What is stored of a tournament: its snapshots, newest first (none: it has left for the archive), and its blocks."""

    snapshots: Sequence[StoredSnapshot]
    blocks: Sequence[bytes]


class Kept(NamedTuple):
    """A tournament that is in the series up to an offset; `merged` blocks take the place of all up to there."""

    tournament_id: int
    offset: int
    merged: Sequence[bytes] | None = None


class AttemptBlocks(Protocol):
    """See the module's guarantees. Every method raises RecordsUnavailableError when the store does not answer."""

    async def waiting(self, after: int, limit: int) -> list[WaitingTournament]:
        """Tournaments that changed since they were last kept, by id, beyond one. Of the databases that answer."""

    async def blocks(self, tournament_id: int) -> list[bytes]:
        """All blocks of a tournament (`actors.domain.analytics.attempts`)."""

    async def stored(self, waiting: Sequence[WaitingTournament]) -> dict[int, StoredAttempts]:
        """What is stored of these, blocks up to their offsets, from databases that answer: others are left out."""

    async def keep(self, kept: Sequence[Kept]) -> set[int]:
        """These are in the series; returns which of them that is stored for: all on databases that answer."""

    async def rebuild(self) -> int:
        """Let every tournament wait to be made anew; returns how many do. A database where some wait still from an earlier call goes on with
        those: so it may be called again, and nothing is made twice."""

    async def anew(self) -> int:
        """How many tournaments wait to be made anew."""

    async def counts(self) -> tuple[int, int]:
        """How many tournaments wait, and how many there are."""
