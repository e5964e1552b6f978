"""How series and boards are shown: the contract's JSON."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from actors.domain.series.children import board_id, occurrence_id
from actors.domain.tournament import Tournament
from actors.domain.values import rfc3339
from actors.domain.views import spec_values


def series(state: Tournament, status: str) -> dict[str, Any] | None:
    """What the owner knows of `GET /v1/series/{id}`, None for what is no series. `tournaments` newest first, those that are not written yet left
    out; `last_ms`: the start of the newest, and of the one after which the next comes."""
    spec, family = state.spec, state.family
    if spec.recurrence is UNSET or family is None:
        return None
    tiers = [0] if spec.league is UNSET else range(1, spec.league.tiers + 1)
    unwritten = {(errand.place, errand.tier) for errand in family.errands if errand.kind == "open"}
    values = spec_values(spec)
    return {
        "id": str(state.tournament_id),
        "name": spec.name,
        "visibility": spec.visibility,
        "status": status,
        "recurrence": values["recurrence"],
        "league": values.get("league"),
        "missed": family.missed,
        "tournaments": [
            {
                "id": str(occurrence_id(state, starts_ms, tier)),
                "at": rfc3339(starts_ms),
                "ends_at": rfc3339(starts_ms + spec.recurrence.duration_ms) if spec.type == "scheduled" else None,
                "tier": tier or None,
                "decided": None if spec.league is UNSET else starts_ms <= family.decided_ms,
            }
            for starts_ms in reversed(family.occurrences)
            for tier in tiers
            if (starts_ms, tier) not in unwritten
        ],
        "last_ms": family.occurrences[-1] if family.occurrences else state.created_ms,
    }


def cohorts(state: Tournament, start: int, limit: int) -> dict[str, Any]:
    """A page of `GET .../cohorts`, by number; `seats`: how many were given there."""
    spec, family = state.spec.cohorts, state.family
    if spec is UNSET or family is None:
        return {"items": [], "next_cursor": None}
    size, count = spec.size, -(-family.seats // spec.size)
    page = range(start + 1, min(start + limit, count) + 1)
    items = [
        {"number": n, "tournament_id": str(board_id(state, n)), "seats": min(size, family.seats - (n - 1) * size)}
        for n in page
    ]
    return {"items": items, "next_cursor": str(start + limit) if start + limit < count else None}
