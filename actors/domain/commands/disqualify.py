"""Disqualify and reinstate, also after the end: the table closes up, or opens again."""

from __future__ import annotations

from actors.domain.events import Event, outcome_of
from actors.domain.life.freeze import set_shown
from actors.domain.messages import Disqualify, Reinstate
from actors.domain.series.placing import elsewhere
from actors.domain.tournament import Tournament


def disqualify(state: Tournament, offset: int, message: Disqualify, user_id: int) -> list[Event]:
    """A member's score no longer counts, and no further one does; whoever left, too. Again sets the reason."""
    members = state.members
    slot = members.users.slot(user_id)
    reason, detail = _problem(state, slot, user_id)
    first = not reason and members.disqualified.get(slot) != message.reason
    if first:
        members.set_disqualified(slot, message.reason)
        set_shown(state, slot)
    return [outcome_of(offset, message, reason, detail, user_id=user_id, first=first)]


def reinstate(state: Tournament, offset: int, message: Reinstate, user_id: int) -> list[Event]:
    """A member's score counts again; what was ignored meanwhile stays so. Prizes that were paid or taken back are the ledger's to follow."""
    members = state.members
    slot = members.users.slot(user_id)
    reason, detail = _problem(state, slot, user_id)
    first = not reason and slot in members.disqualified
    if first:
        members.set_disqualified(slot, None)
        set_shown(state, slot)
    return [outcome_of(offset, message, reason, detail, user_id=user_id, first=first)]


def _problem(state: Tournament, slot: int, user_id: int) -> tuple[str, str]:
    if slot < 0:
        return "participant_unknown", f"user {user_id} never took part"
    if state.status == "cancelled":
        return "already_over", "a tournament that was cancelled has no table to change"
    return elsewhere(state, slot)
