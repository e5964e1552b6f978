"""Which child somebody lands on who joins a parent: always the same board of cohorts, the tier's table in a league."""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.messages import Join
from actors.domain.series.children import child_id, cohort_of
from actors.domain.series.family import Errand
from actors.domain.tournament import Tournament


def closed(state: Tournament, join: Join) -> tuple[str, str]:
    """Why a join is refused before anything else is looked at: (reason, detail), or empty strings."""
    spec = state.spec
    if join.placed is UNSET:
        if spec.cohort is not UNSET:
            return "not_joinable", f"a board fills by itself: join tournament {spec.cohort.of}"
        if spec.series is not UNSET and spec.series.tier is not UNSET:
            return "not_joinable", f"a tier has those who belong there: join series {spec.series.of}"
    if spec.recurrence is not UNSET:
        if spec.league is UNSET:
            return "not_joinable", "a series is not joined: join one of its tournaments"
        if _next_occurrence(state) is None:
            return "registration_closed", "none of the league's tournaments can be joined now: the next one opens soon"
    return "", ""


def place(state: Tournament, user_id: int, *, tell: bool) -> int:
    """The child of a user who takes part in a parent; `tell`: the child is to hear of the user, or of another name. Of one
    that is over nothing changes."""
    members, family, spec = state.members, state.family, state.spec
    assert family is not None
    slot = members.users.slot(user_id)
    tier = 0
    if spec.cohorts is not UNSET and spec.recurrence is UNSET:
        seat = members.seat.get(slot)
        if seat is None:
            seat = members.seat[slot] = family.seats
            family.seats += 1
            tell = True
            if seat % spec.cohorts.size == 0:
                family.errands.append(Errand("open", seat // spec.cohorts.size + 1))
        at = seat // spec.cohorts.size + 1
    else:
        occurrence = members.placed_ms.get(slot) if state.over else _next_occurrence(state)
        assert occurrence is not None  # else the join was refused
        assert spec.league is not UNSET
        at, tier = occurrence, members.tier.get(slot, spec.league.tiers)
        tell = tell or members.placed_ms.get(slot) != at
        members.placed_ms[slot] = at
    if tell:
        family.errands.append(Errand("join", at, tier, user_id))
    return child_id(state, at, tier)


def take_away(state: Tournament, slot: int, user_id: int) -> None:
    """Have the child of a user who leaves a parent hear of it. The seat stays the user's."""
    members, family, spec = state.members, state.family, state.spec
    assert family is not None
    if spec.cohorts is not UNSET and (seat := members.seat.get(slot)) is not None:
        family.errands.append(Errand("leave", seat // spec.cohorts.size + 1, 0, user_id))
    elif spec.league is not UNSET and (at := members.placed_ms.get(slot)) is not None:
        tier = members.tier.get(slot, spec.league.tiers)
        if at > family.decided_ms:
            family.errands.append(Errand("leave", at, tier, user_id))


def elsewhere(state: Tournament, slot: int) -> tuple[str, str]:
    """Why nothing can be ordered here about how one who joined plays: (reason, detail), or empty strings where this is no parent. A parent has
    neither table nor clock: what is taken here would change nothing for the user."""
    if state.family is None:
        return "", ""
    cohort = cohort_of(state, slot)
    there = (
        "the tournament of the series that they are in" if cohort is None else f"tournament {cohort['tournament_id']}"
    )
    return "refused", f"nobody plays in what opens others: call it on {there}"


def _next_occurrence(state: Tournament) -> int | None:
    """The first occurrence of a league that has not moved anybody yet, if it can be joined."""
    family, recurrence = state.family, state.spec.recurrence
    assert family is not None
    assert recurrence is not UNSET
    at = next((starts_ms for starts_ms in family.occurrences if starts_ms > family.decided_ms), None)
    if at is None:
        return None
    until_ms = at if state.spec.join_until == "start" else at + recurrence.duration_ms
    return at if state.time_ms < until_ms else None
