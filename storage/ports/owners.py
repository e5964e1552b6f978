"""Owners: asking the actor that holds a tournament. Routing, retries and moves are the implementation's business.

Guarantees
- A reply is exact as of some moment after the call began, in the owner's order.
- `OwnerUnavailableError` within about `timeout_s`: the owner is down or moving (`OwnerRecordsError`: it lacks but the records of this
  tournament); the caller falls back to the read model.
- Calls change nothing: tournaments change through the log alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class OwnerUnavailableError(Exception):
    """The owner did not answer: it is restarting, moving, or its node is gone."""


class OwnerRecordsError(OwnerUnavailableError):
    """The owner answers, but it would have to read this tournament from the records, and these do not."""


class OwnerMovedError(Exception):
    """The asked owner does not hold this tournament (any more); look again where it lives."""


class Reply(NamedTuple):
    """An encoded answer. `found` False: no such thing. `public` tells whether anyone may see and cache it; `allowed`, whether the viewer
    that was named may (private tournaments: members only). `etag` names this very content.

    `offset` is the newest record's in it. `seq` is the published update that shows the same, so that the updates after it apply to it; -1 where
    there is none. `age_s`: how long ago it was asked for, where it was kept since.
    """

    found: bool
    public: bool = True
    allowed: bool = True
    body: bytes = b""
    etag: str = ""
    status: str = ""
    epoch: int = 0
    seq: int = 0
    offset: int = -1
    age_s: float = 0.0


class LiveSnapshot(NamedTuple):
    """What a live subscription starts from: `data` is the encoded JSON of the contract's snapshot `data`.

    `recent` holds the newest updates as (seq, encoded JSON Patch), oldest first, for `since`.
    """

    found: bool
    public: bool = True
    allowed: bool = True
    epoch: int = 0
    seq: int = 0
    data: bytes = b""
    recent: tuple[tuple[int, bytes], ...] = ()


class Standing(NamedTuple):
    """A participant's place now. `score` in hundredths; rank and percentile None without a score."""

    user_id: int
    rank: int | None
    score: int | None
    percentile: float | None


class RankingsQuery(NamedTuple):
    """A page from position `start` (0-based) of `limit` rows, or `around` a user, or the rows of `users`."""

    start: int = 0
    limit: int = 100
    around: int | None = None
    users: tuple[int, ...] = ()


class Owners(Protocol):
    """See the module's guarantees. Every method raises OwnerUnavailableError."""

    async def view(self, tournament_id: int, viewer: int | None) -> Reply:
        """The encoded tournament view (`GET /v1/tournaments/{id}`)."""
        ...

    async def rankings(self, tournament_id: int, query: RankingsQuery, viewer: int | None) -> Reply:
        """Encoded rankings (`GET .../rankings`); `next_cursor` in it is the next `start` in decimal."""
        ...

    async def participant(self, tournament_id: int, user_id: int, viewer: int | None) -> Reply:
        """One encoded participant (`GET .../participants/{user}`)."""
        ...

    async def prizes(self, tournament_id: int, viewer: int | None) -> Reply:
        """The encoded prize table (`GET .../prizes`)."""
        ...

    async def live(self, tournament_id: int, viewer: int | None) -> LiveSnapshot:
        """The snapshot a live subscription starts from."""
        ...

    async def standings(self, tournament_id: int, users: Sequence[int]) -> list[Standing]:
        """Where these users stand, in the order asked for; users who do not take part are left out."""
        ...

    async def positions(self, tournament_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """(epoch, seq) of each tournament whose owner answered: to notice a lost last update."""
        ...

    async def resolve_placement(self, tournament_id: int, placement: str, capacity: int | None) -> bool:
        """Whether a new tournament gets an actor alone (True) or shares one. Falls back to shared when nobody can say."""
        ...
