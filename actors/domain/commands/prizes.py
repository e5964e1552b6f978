"""Approve prizes: what that means to the tournament. Which prizes are approved is the ledger's (`actors.domain.prizes.ledger`)."""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.events import Event, outcome_of
from actors.domain.messages import ApprovePrizes
from actors.domain.tournament import Tournament


def approve_prizes(state: Tournament, offset: int, message: ApprovePrizes, _user_id: int) -> list[Event]:
    """The result of a finished tournament stands; again changes nothing."""
    if state.status != "finished":
        return [outcome_of(offset, message, "not_finished", f"cannot approve prizes while it is {state.status}")]
    if state.spec.prizes is UNSET:
        return [outcome_of(offset, message, "no_prizes", "the tournament has no prizes")]
    first = not state.settled
    state.settled = "approved"
    return [outcome_of(offset, message, first=first)]
