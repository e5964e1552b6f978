"""Invitations: given and revoked."""

from __future__ import annotations

from actors.domain.events import Event, outcome_of
from actors.domain.life.invitations import MAX_INVITATIONS, make_room
from actors.domain.messages import Invite, RevokeInvitation
from actors.domain.tournament import Invitation, Tournament


def invite(state: Tournament, offset: int, message: Invite, user_id: int) -> list[Event]:
    """Give an invitation; the same again changes nothing."""
    given = Invitation(
        offset=offset,
        given_ms=state.time_ms,
        by=message.creator,
        user_id=user_id,
        uses=message.uses,
        used=0,
        expires_ms=message.expires_ms,
    )
    known = state.invitations.get(message.invitation)
    reason = detail = ""
    if state.over:
        reason, detail = "already_over", f"cannot invite to a tournament that is {state.status}"
    elif known is not None and (known.user_id, known.uses, known.expires_ms) != (
        given.user_id,
        given.uses,
        given.expires_ms,
    ):
        reason, detail = "idempotency_conflict", "another invitation was given with this Idempotency-Key"
    elif known is None and not make_room(state):
        reason, detail = (
            "too_many_invitations",
            f"expected at most {MAX_INVITATIONS} that can still be used: revoke some",
        )
    if not reason and known is None:
        state.invitations[message.invitation] = given
    return [outcome_of(offset, message, reason, detail, user_id=user_id, first=not reason and known is None)]


def revoke_invitation(state: Tournament, offset: int, message: RevokeInvitation, _user_id: int) -> list[Event]:
    """Take an invitation back."""
    reason = detail = ""
    if state.over:
        reason, detail = "already_over", f"cannot revoke an invitation to a tournament that is {state.status}"
    elif state.invitations.pop(message.invitation, None) is None:
        reason, detail = (
            "invitation_unknown",
            "there is no such invitation: it was revoked, or dropped after its last use",
        )
    return [outcome_of(offset, message, reason, detail, first=not reason)]
