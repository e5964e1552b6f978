"""The tournaments that a parent opens: their ids, their creates, and the records that errands are. Pure: the same errand is the same records."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import UNSET

from actors.domain.messages import Create, Join, Leave, Message, Spec
from actors.domain.messages.spec import CohortPlace, SeriesPlace
from actors.domain.series.family import Errand
from actors.domain.tournament import Tournament
from actors.domain.values import tournament_id


def board_id(state: Tournament, number: int) -> int:
    """The id of a board of cohorts; boards are numbered from 1."""
    return tournament_id(state.creator, f"board:{state.tournament_id}:{number}")


def occurrence_id(state: Tournament, starts_ms: int, tier: int = 0) -> int:
    """The id of a series' tournament, in a league that of one tier (1 is the highest)."""
    return tournament_id(state.creator, f"occurrence:{state.tournament_id}:{starts_ms}:{tier}")


def child_id(state: Tournament, place: int, tier: int) -> int:
    """The id of the child that an errand is about."""
    return board_id(state, place) if state.spec.recurrence is UNSET else occurrence_id(state, place, tier)


def cohort_of(state: Tournament, slot: int) -> dict[str, Any] | None:
    """On which board of cohorts somebody is, as shown."""
    cohorts, seat = state.spec.cohorts, state.members.seat.get(slot)
    if cohorts is UNSET or seat is None:
        return None
    number = seat // cohorts.size + 1
    return {"tournament_id": str(board_id(state, number)), "number": number}


def commanded(state: Tournament, command: str) -> list[int]:
    """The children that a parent's command is meant for, too: the boards of cohorts; what of a series has not started, where it is cancelled."""
    spec, family = state.spec, state.family
    if family is None or (command == "start" and spec.type == "instant"):
        return []
    if spec.recurrence is UNSET:
        assert spec.cohorts is not UNSET
        return [board_id(state, number) for number in range(1, -(-family.seats // spec.cohorts.size) + 1)]
    if command != "cancel":
        return []
    tiers = [0] if spec.league is UNSET else range(1, spec.league.tiers + 1)
    coming = [at for at in family.occurrences if at > state.time_ms]
    return [occurrence_id(state, at, tier) for at in coming for tier in tiers]


def message_of(state: Tournament, errand: Errand, number: int, dedicated_capacity: int) -> Message:
    """The record that an errand is; `number` is the errand's own. From `dedicated_capacity` on a child has an owner alone."""
    child = child_id(state, errand.place, errand.tier)
    if errand.kind == "open":
        return _create(state, errand, child, dedicated_capacity)
    command_id = f"{state.tournament_id}:{number}"
    if errand.kind == "leave":
        return Leave(command_id=command_id, user_id=str(errand.user_id))
    slot = state.members.users.slot(errand.user_id)
    attributes = {board: group for board, groups in state.groups.items() if (group := groups.of(slot)) is not None}
    return Join(
        command_id=command_id,
        user_id=str(errand.user_id),
        name=state.members.names[slot],
        invited=True,
        placed=True,
        attributes=attributes or UNSET,
    )


def _create(state: Tournament, errand: Errand, child: int, dedicated_capacity: int) -> Create:
    spec = _spec(state, errand)
    large = spec.capacity is not None and spec.capacity >= dedicated_capacity
    salt = hashlib.blake2b(child.to_bytes(8, "big"), digest_size=16, key=state.salt).hexdigest()
    return Create(
        command_id=str(child),
        creator=str(state.creator),
        created_ms=state.time_ms,
        spec=spec,
        dedicated=spec.placement == "dedicated" or (spec.placement == "auto" and large),
        salt=salt,
        # what is open stays as it was opened, whatever was edited since
        request_digest=f"child of {state.tournament_id}",
        rules_version=state.rules_version,
    )


def _spec(state: Tournament, errand: Errand) -> Spec:
    spec = state.spec
    if spec.recurrence is UNSET:
        assert spec.cohorts is not UNSET
        place = CohortPlace(of=str(state.tournament_id), number=errand.place)
        return msgspec.structs.replace(spec, cohorts=UNSET, capacity=spec.cohorts.size, cohort=place)
    at = SeriesPlace(of=str(state.tournament_id), at_ms=errand.place, tier=errand.tier or UNSET)
    duration_ms = spec.recurrence.duration_ms
    scheduled = spec.type == "scheduled"
    return msgspec.structs.replace(
        spec,
        recurrence=UNSET,
        league=UNSET,
        series=at,
        starts_ms=errand.place if scheduled else None,
        ends_ms=errand.place + duration_ms if scheduled else None,
        duration_ms=None if scheduled else duration_ms,
    )
