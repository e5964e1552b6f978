"""A tournament's row as an item of a list."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from actors.domain.messages import Spec
from actors.domain.values import rfc3339
from actors.domain.views import spec_fields
from storage.ports import TournamentRow

ASKED_AT_ONCE: Final = 16  # owners, for one page of a list
_spec: Final = msgspec.json.Decoder(Spec)


def tournament_item(row: TournamentRow) -> dict[str, Any]:
    """The view without what only the owner knows: the top rows and the position. Raises msgspec.ValidationError for a foreign row."""
    spec = _spec.decode(row.spec)
    return {
        **spec_fields(spec, row.tournament_id, row.created_ms, row.creator, row.version, row.dedicated),
        "status": row.status,
        "revision": row.revision,
        "finished_at": None if row.finished_ms is None else rfc3339(row.finished_ms),
        "participants": row.participants,
    }
