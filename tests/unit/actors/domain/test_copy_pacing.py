"""When copies are compared again, and which first."""

from __future__ import annotations

import pytest

from actors.domain.copy_pacing import RETRY_MAX_MS, RETRY_MIN_MS, retry_pause_ms, spread


def test_pauses_double_up_to_a_bound_and_are_never_longer_than_drawn() -> None:
    assert [retry_pause_ms(n, 0.0) for n in range(5)] == [100, 200, 400, 500, 500]
    assert retry_pause_ms(10_000, 0.0) == RETRY_MAX_MS
    for failures in range(20):
        for draw in (0.0, 0.3, 1.0):
            longest = retry_pause_ms(failures, 0.0)
            assert RETRY_MIN_MS / 2 < longest * 2 / 3 - 1 <= retry_pause_ms(failures, draw) <= longest


@pytest.mark.parametrize("length", [0, 1, 7, 499, 500, 501, 999, 1000, 12_345])
def test_a_spread_is_bounded_and_comes_from_the_whole_length(length: int) -> None:
    found = spread(range(length), 500)
    assert len(found) == min(length, len(found)) <= 500
    assert len(set(found)) == len(found)
    if length > 500:
        assert len(found) > 240
        assert found[0] == 0
        assert found[-1] >= length - length // 240 - 1
    else:
        assert list(found) == list(range(length))
