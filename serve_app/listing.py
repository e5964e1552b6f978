"""A tournament's row as an item of a list."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.domain.values import rfc3339
from storage.base import TournamentRow


def tournament_item(row: TournamentRow) -> dict[str, Any]:
    """The spec with what the row knows better: status, participants, times as they became."""
    item: dict[str, Any] = msgspec.json.decode(row.spec)
    item.update(
        id=str(row.tournament_id),
        name=row.name,
        type=row.type,
        visibility=row.visibility,
        status=row.status,
        participants=row.participants,
        capacity=row.capacity,
        starts_at=_time(row.starts_ms),
        ends_at=_time(row.ends_ms),
        finished_at=_time(row.finished_ms),
        placement="dedicated" if row.dedicated else "shared",
        created_at=rfc3339(row.created_ms),
        created_by=str(row.creator),
        version=row.version,
        revision=row.revision,
    )
    return item


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else rfc3339(time_ms)
