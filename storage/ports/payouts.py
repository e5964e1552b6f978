"""Payouts: who gives the prizes out, or takes them back. Palio decides what is owed; this port makes it happen outside.

Guarantees asked of an implementation
- Duplicates: a payout's `key` names it for ever. To be told of one again changes nothing and has the same answer.
- Loss: once `pay` has returned, the payout is the payer's to carry out, whatever happens to Palio. When it raises PayoutUnavailableError it
  may have been taken all the same: it is sent again with the same key.
- Order: none. A claw-back may come before its prize is carried out.
- Time: `pay` ends within a bound of the implementation's own, and many may be under way at once.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol

from storage.ports.errors import StorageError


class Payout(NamedTuple):
    """What to give to (`prize`), or to take back from (`claw_back`), a user: an `amount` of a `currency`, or so many `pieces` of an `item`.

    `made_ms`: when it was decided, ms since 1970. A key never comes with other values.
    """

    key: str
    kind: Literal["prize", "claw_back"]
    tournament_id: int
    user_id: int
    rank: int
    amount: str
    currency: str
    item: str
    pieces: int
    made_ms: int

    def told(self) -> dict[str, Any]:
        """As told outside: ids as decimal strings; money or things, not both."""
        what = (
            {"item": self.item, "count": self.pieces}
            if self.item
            else {"amount": self.amount, "currency": self.currency}
        )
        ids = {"tournament_id": str(self.tournament_id), "user_id": str(self.user_id)}
        return {"key": self.key, "kind": self.kind, **ids, "rank": self.rank, **what}


class PayoutUnavailableError(StorageError):
    """Nobody answered, or not in time, or with an error that may pass: whether it was taken is unknown. `after_s`: not before."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class PayoutRefusedError(StorageError):
    """The payer will not carry this payout out, now or later; the message says why."""


class Payouts(Protocol):
    """See the module's guarantees."""

    async def pay(self, payout: Payout) -> str:
        """Hand a payout over; returns the payer's reference of it, or an empty text.

        Raises PayoutUnavailableError and PayoutRefusedError.
        """

    async def close(self) -> None:
        """Release connections and files. A second call does nothing."""
