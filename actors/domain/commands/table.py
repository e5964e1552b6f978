"""The handlers of all control records but create and claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from actors.domain.commands.disqualify import disqualify, reinstate
from actors.domain.commands.edit import edit
from actors.domain.commands.erasure import erase
from actors.domain.commands.family import open_next, standings, written
from actors.domain.commands.invitations import invite, revoke_invitation
from actors.domain.commands.prizes import approve_prizes
from actors.domain.commands.reopen import reopen, reveal
from actors.domain.commands.status import change_status
from actors.domain.commands.taking_part import join, leave
from actors.domain.commands.window import begin, done, extra_time
from actors.domain.events import Event
from actors.domain.messages import (
    ApprovePrizes,
    Begin,
    Cancel,
    Command,
    Disqualify,
    Done,
    Edit,
    End,
    Erase,
    ExtraTime,
    Invite,
    Join,
    Leave,
    Open,
    Reinstate,
    Reopen,
    Reveal,
    RevokeInvitation,
    Standings,
    Start,
    Written,
)
from actors.domain.tournament import Tournament

# Each is given the state, moved on to the record's time, the record's offset, its message and the user whom it names (else 0).
HANDLERS: Final[dict[type[Command], Callable[[Tournament, int, Any, int], list[Event]]]] = {
    Join: join,
    Leave: leave,
    Begin: begin,
    Erase: erase,
    Done: done,
    ExtraTime: extra_time,
    Disqualify: disqualify,
    Reinstate: reinstate,
    Start: change_status,
    End: change_status,
    Cancel: change_status,
    Edit: edit,
    Invite: invite,
    RevokeInvitation: revoke_invitation,
    ApprovePrizes: approve_prizes,
    Open: open_next,
    Standings: standings,
    Written: written,
    Reopen: reopen,
    Reveal: reveal,
}
