"""Join and leave."""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.events import APPLIED, Event, Outcome, outcome_of
from actors.domain.life.freeze import add_to_frozen, set_shown
from actors.domain.life.invitations import admits, use
from actors.domain.life.status import move
from actors.domain.messages import Join, Leave
from actors.domain.series.placing import closed, place, take_away
from actors.domain.tournament import Tournament


def join(state: Tournament, offset: int, message: Join, user_id: int) -> list[Event]:
    """A user takes part, or comes back; the last place of an instant tournament starts it."""
    outcome = _take_in(state, offset, message, user_id)
    if state.family is not None and outcome.outcome == APPLIED:
        changed = message.name is not None or message.attributes is not UNSET
        child = place(state, user_id, tell=(outcome.first or changed) and not state.over)
        outcome = outcome._replace(detail=str(child))
    events: list[Event] = [outcome]
    if state.spec.type == "instant" and state.members.joined == state.spec.capacity and state.status == "scheduled":
        events.append(move(state, "start", state.time_ms, "full"))
    return events


def _take_in(state: Tournament, offset: int, message: Join, user_id: int) -> Outcome:
    members = state.members
    slot = members.users.slot(user_id)

    def outcome(reason: str = "", detail: str = "", *, first: bool = False) -> Outcome:
        return outcome_of(offset, message, reason, detail, user_id=user_id, first=first)

    reason, detail = closed(state, message)
    if reason and not state.over:
        return outcome(reason, detail)
    if slot >= 0 and members.active[slot]:
        if problem := _attributes_problem(state, message, slot):
            return outcome(*problem)
        if message.name is not None and message.name != members.names[slot]:
            if state.over:
                return outcome("already_over", f"cannot change a name in a tournament that is {state.status}")
            members.names[slot] = message.name
        _put_into_groups(state, message, slot)
        return outcome()
    # who is placed came in time where they joined, however late that is told here
    late = state.status == "running" and state.spec.join_until == "start" and message.placed is UNSET
    if state.over or state.in_extra_time or late:
        return outcome("registration_closed", f"cannot join a tournament that is {state.status}")
    needs_invitation = not message.invited and (
        slot in members.removed or (state.spec.visibility == "private" and (slot < 0 or state.rules_version >= 2))
    )
    if needs_invitation and not admits(state, message.invitation, user_id, slot):
        if message.invitation is UNSET and slot in members.removed:
            return outcome("removed", "who was removed comes back by a new invitation, or is brought by a service")
        return outcome("invite_invalid", "expected an invitation for this user that is still good")
    if problem := _attributes_problem(state, message, slot):
        return outcome(*problem)
    if state.spec.capacity is not None and members.joined >= state.spec.capacity:
        return outcome("tournament_full", f"all {state.spec.capacity} places are taken")
    if needs_invitation:
        use(state, message.invitation)
    if slot < 0:
        slot = members.add(user_id, message.name, state.time_ms)
        add_to_frozen(state)
    else:
        members.set_active(slot, active=True)
        members.removed.discard(slot)
        members.removed_at.pop(slot, None)
        if message.name is not None:
            members.names[slot] = message.name
        set_shown(state, slot)
    _put_into_groups(state, message, slot)
    return outcome(first=True)


def _attributes_problem(state: Tournament, message: Join, slot: int) -> tuple[str, str] | None:
    """Why the attributes of a join cannot be taken, (reason, detail). Each is given once; a service may change it until the end."""
    if message.attributes is UNSET:
        return None
    for board, group in message.attributes.items():
        groups = state.groups.get(board)
        if groups is None:
            known = ", ".join(state.groups) or "none"
            return "invalid", f"attributes.{board}: not a board of this tournament; its boards: {known}"
        before = groups.of(slot) if slot >= 0 else None
        if before not in (None, group) and not message.invited:
            return "attributes_fixed", f"{board} was given as {before!r}; a service can change it"
        if before != group and slot >= 0 and state.over:
            return "already_over", f"cannot change {board} in a tournament that is {state.status}"
    return None


def _put_into_groups(state: Tournament, message: Join, slot: int) -> None:
    if message.attributes is not UNSET:
        for board, group in message.attributes.items():
            state.groups[board].put(slot, group)


def leave(state: Tournament, offset: int, message: Leave, user_id: int) -> list[Event]:
    """A user no longer takes part; score, attempts and ids stay."""
    members = state.members
    slot = members.slot(user_id)
    if state.over:
        detail = f"cannot leave a tournament that is {state.status}"
        return [outcome_of(offset, message, "already_over", detail, user_id=user_id)]
    if message.removed is True and (known := members.users.slot(user_id)) >= 0:
        members.removed.add(known)  # also one who had left before
        if state.invitations:
            members.removed_at[known] = offset
    if slot >= 0:
        members.set_active(slot, active=False)
        set_shown(state, slot)
        if state.family is not None:
            take_away(state, slot, user_id)
    return [outcome_of(offset, message, user_id=user_id, first=slot >= 0)]
