"""The ledger of prizes: one entry for each winner and rule, on the shard of its tournament; who owes what to whom, and how far it is.

What an entry is and how it may change is decided in `actors.domain.prizes.ledger`; the store keeps the changes.

Guarantees
- Atomicity: a `write` is one transaction, whole or not at all. It never spans tournaments.
- Order: each entry has a version, and is written only in place of the version before: of two who change it at the same time one is told.
- Duplicates: an entry is unique by tournament, rule, user and number.
- Loss: what `write` returned from survives the loss of every process and of the machine's power.
- Isolation: a shard that is away is missed by the calls about its tournaments, and by a user's list; `waiting`, `payable` and `counts` tell
  of those that answer.
- Driven by effects: a tournament is `waiting` from the transaction on that makes its end (or a later change of its table) durable, until a
  `write` says up to which offset the ledger follows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from actors.domain.prizes.ledger import Entry, State
from storage.ports.errors import StorageError

PRIZES_EFFECT: Final = "prizes"  # the kind of the outbox row that makes a tournament waiting
PRIZES_EFFECT_NUMBER: Final = 7  # its `n`: beside the other effects of the record


class LedgerChangedError(StorageError):
    """Somebody else changed an entry meanwhile; nothing was written. Read again."""


class UserPrize(NamedTuple):
    """An entry of a user with the name of its tournament."""

    entry: Entry
    tournament_name: str


class PrizeLedger(Protocol):
    """See the module's guarantees. Every method raises RecordsUnavailableError when the store does not answer."""

    async def waiting(self, limit: int) -> dict[int, int]:
        """Tournaments whose ledger does not follow their table yet, each with the offset of the newest change, at most `limit`."""

    async def waits(self, tournament_id: int) -> bool:
        """Whether it is one of these."""

    async def entries(self, tournament_id: int) -> list[Entry]:
        """All entries, by rule, rank, user and number."""

    async def write(self, tournament_id: int, entries: Sequence[Entry], upto: int = -1) -> None:
        """Put entries in place of the versions before theirs (version 1: new ones); and the ledger follows the table up to an offset.

        Raises LedgerChangedError.
        """

    async def payable(self, now_ms: int, tournaments: int, each: int) -> list[Entry]:
        """Entries that may be sent to whoever pays: `each` at most of so many tournaments, so that a large one holds up none."""

    async def user_prizes(self, user_id: int, cursor: str | None, limit: int) -> tuple[list[UserPrize], str | None]:
        """A user's entries, newest first, with the next cursor. Raises ValueError for a bad one."""

    async def counts(self) -> Mapping[State, int]:
        """How many entries are in each state."""
