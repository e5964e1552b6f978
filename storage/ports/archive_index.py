"""What the records know of the archive: which tournaments wait for it, which file shows what, and who has left the records for it.

Guarantees
- Atomicity: each call that writes is made of transactions that are whole or not at all, and may be cut off between two of them: then the same
  call again finishes it. None spans tournaments.
- Order: an entry is replaced only by one of a higher or equal offset.
- Driven by effects: a tournament is `waiting` from the transaction on that makes its end, or a change after it, durable, until `note` or
  `forget` says up to which offset the archive follows it.
- A tournament leaves only as it was archived: once anybody has saved something newer, nothing more of it is taken away.
- Isolation: a shard that is away is missed by the calls about its tournaments and by `page`; the others tell of those that answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, Protocol

# `kept`: the records have the tournament, too. `leaving`: they hold the rest of its participants. `left`: they have its row alone.
ArchivePlace = Literal["kept", "leaving", "left"]
PLACES: Final[tuple[ArchivePlace, ...]] = ("kept", "leaving", "left")


class Archived(NamedTuple):
    """A tournament's file: it shows the state at `offset`, has `size_bytes` and a BLAKE2b `digest` (hex, 128 bits) and one row for each of
    `participants`. Times in ms since 1970."""

    tournament_id: int
    offset: int
    revision: int
    finished_ms: int
    participants: int
    size_bytes: int
    digest: str
    archived_ms: int
    place: ArchivePlace = "kept"


class ArchiveIndex(Protocol):
    """See the module's guarantees. Every method raises RecordsUnavailableError when the store does not answer."""

    async def waiting(self, limit: int) -> dict[int, int]:
        """Tournaments that are over and whose file does not follow yet, each with the offset of the newest change, at most `limit`."""

    async def archived(self, tournament_id: int) -> Archived | None:
        """The entry of one, if it has a file."""

    async def note(self, entry: Archived) -> None:
        """It has this file, as of the entry's offset."""

    async def forget(self, tournament_id: int, upto: int) -> None:
        """It has no file any more, and waits for none as of an offset: it goes on, was cancelled, or its file is too old."""

    async def page(self, cursor: str | None, limit: int) -> tuple[list[tuple[Archived, str]], str | None]:
        """Entries with the tournaments' names, the last to finish first, and the next cursor. Raises ValueError for a bad one."""

    async def due(self, before_ms: int, places: tuple[ArchivePlace, ...], limit: int) -> list[Archived]:
        """Entries in these places of tournaments that finished before a time, the first to finish first."""

    async def leave(self, entry: Archived) -> bool:
        """Take the tournament out of the records, but for its row, its prizes, and who took part; False, with nothing more taken away, if
        effects of it wait, its participants are still being told something, or it was saved since."""

    async def erase(self, entry: Archived) -> None:
        """Take away what the records have of one that has left, for good; its prizes' entries stay. Nothing where it was saved since."""

    async def counts(self) -> Mapping[ArchivePlace, int]:
        """How many entries are in each place."""
