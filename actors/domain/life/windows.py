"""The windows of those who take part: what of their scores is in time."""

from __future__ import annotations

from actors.domain.tournament import Tournament


def window_reason(state: Tournament, slot: int, window_ms: int) -> str:
    """Why a score at the state's time lies outside the window of `slot`; empty if it does not.

    A window is `[begin, begin + window_ms)`; that the tournament itself has not ended is judged before.
    """
    began_ms = state.members.began_ms.get(slot)
    if began_ms is None:
        return "not_begun"
    return "window_over" if state.time_ms >= began_ms + window_ms else ""
