"""The read model: a readable copy of running tournaments beside the owner, for reads while an owner is away.

Guarantees
- Order: deltas of a tournament apply in offset order; a delta whose `after` is not the copy's offset is refused, and the owner
  sends the whole (`after=None`). Fencing: a lower epoch never replaces a higher.
- Loss: the copy may vanish at any time; recovery never relies on it. Reads then fall through to the newest snapshot.
- Staleness: a read is some moment's exact table, at most one checkpoint interval behind the owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from storage.base.owners import RankingsQuery, Reply


class ReadModelDelta(NamedTuple):
    """Changes of one tournament from offset `after` (None: this is the whole) to `offset`.

    `rows`: (user id, score in hundredths or None, encoded participant JSON or None when gone); `view`: the encoded tournament view.
    """

    tournament_id: int
    epoch: int
    after: int | None
    offset: int
    view: bytes
    rows: Sequence[tuple[int, int | None, bytes | None]]
    finished: bool


class ReadModel(Protocol):
    """See the module's guarantees."""

    async def write(self, deltas: Sequence[ReadModelDelta]) -> list[int]:
        """Apply deltas; returns the tournaments whose copy does not follow: send those whole."""
        ...

    async def view(self, tournament_id: int, viewer: int | None) -> Reply | None:
        """As `Owners.view`, or None when the copy holds nothing of this tournament."""
        ...

    async def rankings(self, tournament_id: int, query: RankingsQuery, viewer: int | None) -> Reply | None:
        """As `Owners.rankings`, or None."""
        ...

    async def participant(self, tournament_id: int, user_id: int, viewer: int | None) -> Reply | None:
        """As `Owners.participant`, or None."""
        ...

    async def close(self) -> None:
        """Release what it holds."""
        ...
