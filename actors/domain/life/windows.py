"""Who is in time: the windows of those who take part, and the extra time that some have.

Without a window a participant's time is `[start, end + extra)`, with one `[begin, min(begin + window, end) + extra)`.
"""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.tournament import Tournament


def late_reason(state: Tournament, slot: int) -> str:
    """Why a score at the state's time, in a running tournament, is out of its participant's time; empty if it is not.

    To be asked where the tournament has windows, or somebody extra time beyond the end.
    """
    spec, members = state.spec, state.members
    if spec.window_ms is not UNSET and slot not in members.began_ms:
        return "not_begun"
    closes_ms = closes_at(state, slot)
    if closes_ms is None or state.time_ms < closes_ms:
        return ""
    return "window_over" if spec.window_ms is not UNSET else "ended"


def closes_at(state: Tournament, slot: int) -> int | None:
    """Until when a participant's scores count; None where they have not begun, or nobody knows the end yet."""
    spec, members = state.spec, state.members
    ends_ms = spec.ends_ms
    if ends_ms is None:
        return None
    if spec.window_ms is not UNSET:
        began_ms = members.began_ms.get(slot)
        if began_ms is None:
            return None
        ends_ms = min(began_ms + spec.window_ms, ends_ms)
    return ends_ms + members.extra_ms.get(slot, 0)


def latest_close(state: Tournament) -> int:
    """When the last participant with extra time beyond the end is through, of those who are waited for; 0 without one."""
    members, ends_ms = state.members, state.spec.ends_ms
    if ends_ms is None or not members.extra_ms:
        return 0
    waited = (slot for slot in members.extra_ms if members.active[slot] and members.counts(slot))
    latest = max((closes_at(state, slot) or 0 for slot in waited), default=0)
    return latest if latest > ends_ms else 0
