"""The read model: what owners wrote of running tournaments, for reads while an owner is away.

Guarantees
- Order: deltas of a tournament apply in offset order; a delta whose `epoch` and `after` are not the read model's is refused, and the owner
  sends the whole (`after=None`). Fencing: a lower epoch never replaces a higher, nor, within an epoch, a lower offset a higher.
- Duplicates: a delta applied twice is refused the second time; a whole applied twice changes nothing.
- Loss: it may vanish at any time; recovery never relies on it. Reads then fall through to the newest snapshot.
- Staleness: a read is some moment's exact table, at most one checkpoint interval behind the owner. One that nobody keeps up any more
  (no write, no `positions`) vanishes after a while.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from actors.domain.read_model_rows import ReadModelRow
from storage.ports.owners import A, Query


class ReadModelDelta(NamedTuple):
    """Changes of one tournament from offset `after` (None: this is the whole) to `offset`, each member at most once in `rows`.

    `after` may be equal to `offset`: what changed is only what is shown (`seq`, `status`). `seq` (-1: of no published update) and `status` are
    the owner's, for replies as it gives them; `public` and `ties` decide who may read and how ranks are counted. `view`: the encoded tournament
    view. `rows` may encode its rows as they are asked for, in slices from first to last. `finished`: it is over, nothing follows, it may
    expire.
    """

    tournament_id: int
    epoch: int
    after: int | None
    offset: int
    seq: int
    status: str
    public: bool
    ties: str
    view: bytes
    rows: Sequence[ReadModelRow]
    finished: bool


class ReadModelPosition(NamedTuple):
    """Where a tournament's read model stands."""

    epoch: int
    offset: int


class ReadModel(Protocol):
    """The readers' side; see the module's guarantees."""

    async def read(self, tournament_id: int, query: Query[A]) -> A | None:
        """As `Owners.read`, or None when it holds nothing of this tournament. For access, the view, rankings and participants.

        Raises ReadModelUnavailableError, within a bounded time.
        """

    async def close(self) -> None:
        """Release what it holds."""


class KeptReadModel(ReadModel, Protocol):
    """One that owners write. `write` and `positions` may raise ReadModelUnavailableError, within a bounded time."""

    async def write(self, deltas: Sequence[ReadModelDelta]) -> list[int]:
        """Apply deltas, of different tournaments; returns the tournaments whose read model does not follow: send those whole.

        A fenced one is left alone and not returned. ReadModelUnavailableError names the tournaments that may not have been written: send
        those whole later; the others were.
        """

    async def positions(self, epochs: Mapping[int, int]) -> dict[int, ReadModelPosition | None]:
        """Where the read models of tournaments stand, None for nothing or for a damaged one; those that nobody answers for are left out.

        `epochs` maps each to the epoch of its owner: one of that epoch is kept up, so it lives longer.
        """
