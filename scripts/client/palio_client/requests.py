"""What is sent in batches."""

from __future__ import annotations

from typing import Any

import msgspec


class Score(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A score to submit, or a `result` from which a tournament with `scoring` computes it. `event_id`: of your choice, the same for the same
    event however often it is sent; at most 64 characters."""

    tournament_id: str
    user_id: str
    event_id: str
    score: float | None = None
    subscore: float | None = None
    result: dict[str, Any] | None = None


class Join(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A join of a batch. `attributes`: the user's group on each of the tournament's boards."""

    tournament_id: str
    user_id: str
    name: str | None = None
    attributes: dict[str, str] | None = None
