"""What a tournament's events lead to beyond it: participants are told, prizes are settled. Effects go into the outbox with the checkpoint that
makes the events durable."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from actors.domain.events import Event, Outcome, StatusChanged
from actors.domain.notices.events import NOTICE_KIND, EventName, NoticeEvent, encode_event
from actors.domain.tournament import Tournament
from storage.ports import PRIZES_EFFECT, PRIZES_EFFECT_NUMBER, OutboxRow

FIRST_N: Final = 100  # of an offset's effects; lower numbers are others'
OVER: Final = ("finished", "cancelled")


def effects_of(state: Tournament, event: Event, earlier: list[OutboxRow]) -> list[OutboxRow]:
    """The effects of an event; `earlier` are the tournament's effects that wait to be saved."""
    effects = [] if (notice := _notice_of(state, event, earlier)) is None else [notice]
    if isinstance(event, StatusChanged) and event.before == "finished" and state.spec.prizes is not UNSET:
        effects.append(prizes_effect(state.tournament_id, event.offset))  # reopened: nobody has won anything now
    return effects


def prizes_effect(tournament_id: int, offset: int) -> OutboxRow:
    """The ledger of a tournament's prizes is to follow it up to this offset."""
    return OutboxRow(tournament_id, offset, PRIZES_EFFECT_NUMBER, PRIZES_EFFECT, b"{}")


def _notice_of(state: Tournament, event: Event, earlier: list[OutboxRow]) -> OutboxRow | None:
    if isinstance(event, StatusChanged):
        told = _told(state, _name(event), event.time_ms, reason=event.reason if event.after == "cancelled" else "")
    elif isinstance(event, Outcome) and event.kind == "invite" and event.first and event.user_id:
        invitation = next(name for name, each in state.invitations.items() if each.offset == event.offset)
        told = _told(state, "invited", state.time_ms, user_id=event.user_id, invitation=invitation)
    else:
        return None
    n = FIRST_N + sum((row.offset, row.kind) == (event.offset, NOTICE_KIND) for row in earlier)
    return OutboxRow(state.tournament_id, event.offset, n, NOTICE_KIND, encode_event(told))


def _name(event: StatusChanged) -> EventName:
    if event.before in OVER:
        return "reopened"
    if event.after == "running":
        return "started"
    return "ended" if event.after == "finished" else "cancelled"


def _told(state: Tournament, name: EventName, at_ms: int, *, user_id: int = 0, **details: str) -> NoticeEvent:
    return NoticeEvent(
        event=name,
        tournament_id=state.tournament_id,
        name=state.spec.name,
        at_ms=at_ms,
        starts_ms=state.spec.starts_ms,
        ends_ms=state.spec.ends_ms,
        user_id=user_id,
        details={key: text for key, text in details.items() if text},
        display=None if state.spec.display is UNSET else state.spec.display,
    )
