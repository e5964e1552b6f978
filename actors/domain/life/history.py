"""What was ordered of a tournament, by whom, and what it changed: the newest entries, within a limit."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from actors.domain.life.freeze import is_frozen
from actors.domain.messages import Command
from actors.domain.tournament import HistoryEntry, Tournament
from actors.domain.views import decimal_ms, spec_values

MAX_HISTORY: Final = 200  # entries; then the oldest goes
MAX_VALUE_BYTES: Final = 500  # of a value as JSON, such as metadata; of a longer one its size is told


def facts(state: Tournament, user_id: int) -> dict[str, Any]:
    """What commands change of a tournament, and of the user whom one is about (0: of none)."""
    told = {"status": state.status, **spec_values(state.spec), "frozen": is_frozen(state, state.status)}
    if not user_id:
        return told
    members, slot = state.members, state.members.users.slot(user_id)
    return told | {
        "user_id": str(user_id),
        "takes_part": slot >= 0 and bool(members.active[slot]),
        "disqualified": members.disqualified.get(slot),
        "extra_s": decimal_ms(members.extra_ms.get(slot, 0)),
    }


def remember(state: Tournament, command: Command, by: str, before: dict[str, Any], user_id: int) -> None:
    """Keep that a command was carried out; `before` are the facts before it."""
    after = facts(state, user_id)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name) or name == "user_id"]
    old = {name: _short(before.get(name)) for name in changed}
    new = {name: _short(after.get(name)) for name in changed}
    state.history.append(HistoryEntry(state.time_ms, by, command.kind, old, new))
    del state.history[:-MAX_HISTORY]


def _short(value: Any) -> Any:
    size = len(msgspec.json.encode(value))
    return value if size <= MAX_VALUE_BYTES else f"{size} bytes"
