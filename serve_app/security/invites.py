"""Invites: what users bring to join by an invitation. Signed, so that nobody makes one up; whether it still counts, only the fold says."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from actors.domain.errors import InvalidRecordError
from actors.domain.notices.events import Notice
from actors.domain.signing import Signer

MAX_INVITE_CHARS: Final = 500
_KEY: Final = b"invite"  # no tournament has this for an id, so that no record can be taken for an invite


class Invite(msgspec.Struct, array_like=True, frozen=True):
    """To which tournament, by which invitation, for whom (0: whoever brings it) and until when (ms since 1970; None: without an end)."""

    tournament_id: int
    invitation: str
    user_id: int
    expires_ms: int | None


_decoder: Final = msgspec.json.Decoder(Invite)


def make_invite(signer: Signer, invite: Invite) -> str:
    """The invite as a text of letters, digits and `-_.:`, within MAX_INVITE_CHARS."""
    payload = msgspec.json.encode(invite)
    return f"{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.{signer.sign(_KEY, payload)}"


def with_invite(signer: Signer, notice: Notice) -> Notice:
    """A notice of an invitation with the invite itself in place of the invitation's id; any other as it is.

    Until when it counts the fold says: to the one whom it is for, an invite that is too late is one that is no good.
    """
    event = notice.event
    invitation = event.details.get("invitation")
    if invitation is None:
        return notice
    invite = make_invite(signer, Invite(event.tournament_id, invitation, notice.user_id, None))
    return msgspec.structs.replace(notice, event=msgspec.structs.replace(event, details={"invite": invite}))


def read_invite(signer: Signer, text: str, tournament: str, user_id: int, now_ms: int) -> str | None:
    """The id of the invitation, None for an invite that is not one of ours, of another tournament or user, or too late."""
    encoded, _, signature = text.partition(".")
    try:
        payload = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        signer.verify(_KEY, payload, signature)
        invite = _decoder.decode(payload)
    except (InvalidRecordError, binascii.Error, ValueError):
        return None
    good = (
        str(invite.tournament_id) == tournament
        and invite.user_id in (0, user_id)
        and (invite.expires_ms is None or now_ms < invite.expires_ms)
    )
    return invite.invitation if good else None
