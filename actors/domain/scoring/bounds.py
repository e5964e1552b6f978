"""The `floor` and the `cap` of a score."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from actors.domain.values import hundredths


def bounded(score: int, floor: float | UnsetType, cap: float | UnsetType) -> int:
    """A score in hundredths, not below `floor` nor above `cap`, which are scores as in the contract."""
    if floor is not UNSET:
        score = max(score, hundredths(floor))
    return score if cap is UNSET else min(score, hundredths(cap))
