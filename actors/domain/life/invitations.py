"""Invitations: who is let in by one, judged in the log's order and by its clock."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UnsetType

from actors.domain.tournament import Invitation, Tournament

MAX_INVITATIONS: Final = 1000  # of one tournament, at once


def admits(state: Tournament, invitation: str | UnsetType, user_id: int, slot: int) -> bool:
    """Whether an invitation lets a user in who needs one; `slot` is the user's, -1 for who was never in. Whoever was removed needs one that
    was given after that."""
    found = None if isinstance(invitation, UnsetType) else state.invitations.get(invitation)
    return (
        found is not None
        and found.user_id in (0, user_id)
        and found.used < found.uses
        and not _expired(state, found)
        and found.offset > state.members.removed_at.get(slot, -1)
    )


def use(state: Tournament, invitation: str | UnsetType) -> None:
    """One more came by an invitation that admits."""
    if not isinstance(invitation, UnsetType):
        found = state.invitations[invitation]
        state.invitations[invitation] = msgspec.structs.replace(found, used=found.used + 1)


def make_room(state: Tournament) -> bool:
    """Whether there is room for one more invitation: those that nobody can use any more go first."""
    if len(state.invitations) >= MAX_INVITATIONS:
        state.invitations = {
            name: kept
            for name, kept in state.invitations.items()
            if kept.used < kept.uses and not _expired(state, kept)
        }
    return len(state.invitations) < MAX_INVITATIONS


def _expired(state: Tournament, invitation: Invitation) -> bool:
    return invitation.expires_ms is not None and state.time_ms >= invitation.expires_ms
