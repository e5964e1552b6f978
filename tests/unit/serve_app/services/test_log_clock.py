"""The log's clock against the wall clock: creates are refused while tournaments would end before they began; less is warned of and measured."""

from __future__ import annotations

import pytest

from actors.domain.values import partition_of
from serve_app.metrics import CLOCK_AHEAD_SECONDS
from serve_app.services.log_clock import MAX_RETRY_AFTER_S, LogClock
from storage.ports import LogUnavailableError, NewRecord
from tests.support.front import LATER, open_front, problem
from tests.support.memory_ports import MemoryScoreLog


class Clock:
    now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


async def ahead_by(ms: int, clock: Clock) -> MemoryScoreLog:
    """A log whose clock was once ahead: it never goes back."""
    log = MemoryScoreLog(3, clock_ms=clock)
    clock.now_ms += ms
    await log.append([NewRecord(0, b"1", b"{}")])
    clock.now_ms -= ms
    return log


async def test_how_far_it_is_ahead_is_measured_and_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log_clock = LogClock(await ahead_by(90_000, clock), clock, 60_000)
    await log_clock.check()
    assert log_clock.ahead_ms == 90_000
    assert CLOCK_AHEAD_SECONDS._value.get() == 90
    assert "90.0 s ahead" in caplog.text
    assert "creates are refused" in caplog.text
    caplog.clear()
    clock.now_ms += 40_000
    await log_clock.check()
    assert (log_clock.ahead_ms, caplog.text) == (50_000, "")
    clock.now_ms += 50_000
    await log_clock.check()
    assert log_clock.ahead_ms == 0
    assert "right again" in caplog.text
    assert CLOCK_AHEAD_SECONDS._value.get() == 0


async def test_a_log_that_does_not_tell_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    log = await ahead_by(5_000, clock)
    log_clock = LogClock(log, clock, 60_000)
    await log_clock.check()
    assert "creates" not in caplog.text

    async def away(_: int) -> dict[int, int]:
        raise LogUnavailableError("away")

    monkeypatch.setattr(log, "stamped_after", away)
    await log_clock.check()
    assert log_clock.ahead_ms == 5_000


@pytest.mark.parametrize(("ahead_ms", "status"), [(59_000, 201), (61_000, 503), (365 * 86_400_000, 503)])
async def test_creates_are_refused_beyond_the_bound(ahead_ms: int, status: int) -> None:
    async with open_front() as front:
        running = await front.create()
        keyed = {**front.token(), "idempotency-key": "once"}
        first = await front.call("POST", "/v1/tournaments", keyed, json=LATER)
        front.palio.now_ms += ahead_ms
        await MemoryScoreLog.append(front.palio.log, [NewRecord(0, b"1", b"{}")])  # stamped alone, applied by nobody
        front.palio.now_ms -= ahead_ms
        appended = len(front.palio.log.calls)
        answer = await front.call("POST", "/v1/tournaments", front.token(), json=LATER)
        assert answer.status_code == status, answer.text
        if status == 503:
            assert problem(answer) == (503, "clock_ahead")
            assert int(answer.headers["retry-after"]) == min((ahead_ms - 60_000) // 1000, MAX_RETRY_AFTER_S)
            assert len(front.palio.log.calls) == appended
        # what exists goes on, and a repeat is answered as the first was
        assert (await front.call("POST", "/v1/tournaments", keyed, json=LATER)).json()["id"] == first.json()["id"]
        assert (await front.call("GET", f"/v1/tournaments/{running}")).status_code == 200
        front.palio.now_ms += ahead_ms
        assert (
            await front.call(
                "POST", "/v1/tournaments", front.token(), json={**LATER, "ends_at": "2030-01-01T00:00:00Z"}
            )
        ).status_code == 201


async def test_a_partition_with_a_right_clock_takes_creates() -> None:
    """On Kafka each partition's clock is its leader's."""
    clock = Clock()

    class OneWrong(MemoryScoreLog):
        async def stamped_after(self, time_ms: int) -> dict[int, int]:
            return {partition_of(1, 3): clock.now_ms + 1_000_000} if time_ms < clock.now_ms + 1_000_000 else {}

    log_clock = LogClock(OneWrong(3, clock_ms=clock), clock, 60_000)
    wrong = partition_of(1, 3)
    assert await log_clock.refusal((wrong + 1) % 3) is None
    refused = await log_clock.refusal(wrong)
    assert refused is not None
    assert refused.code == "clock_ahead"
