"""Pauses grow and end."""

from __future__ import annotations

from actors.domain.notices.retries import LONGEST_MS, MAX_ATTEMPTS, channel_pause_ms, retry_pause_ms


def test_pauses_grow_and_end() -> None:
    pauses = [retry_pause_ms(attempts, 10_000) for attempts in range(1, MAX_ATTEMPTS + 1)]
    assert pauses[:4] == [10_000, 30_000, 90_000, 270_000]
    assert pauses[-2:] == [LONGEST_MS, None]
    assert sum(pause or 0 for pause in pauses) > 16 * 3600_000
    assert [channel_pause_ms(failures) for failures in (1, 2, 3, 7, 100)] == [1000, 2000, 4000, 60_000, 60_000]
