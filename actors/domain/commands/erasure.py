"""Erasure: what is known of a user beyond their id goes; their score and rank stay."""

from __future__ import annotations

from actors.domain.events import Event, outcome_of
from actors.domain.messages import Erase
from actors.domain.tournament import Tournament


def erase(state: Tournament, offset: int, message: Erase, user_id: int) -> list[Event]:
    """Forget the name and the groups of a user, also of one who has left, and after the end. Again changes nothing."""
    slot = state.members.users.slot(user_id)
    first = False
    if slot >= 0:
        groups = [each for each in state.groups.values() if each.of(slot) is not None]
        first = state.members.names[slot] is not None or bool(groups)
        state.members.names[slot] = None
        for each in groups:
            each.forget(slot)
    return [outcome_of(offset, message, user_id=user_id, first=first)]
