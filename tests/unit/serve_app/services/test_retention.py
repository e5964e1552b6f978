"""Submissions near the log's retention: refused before anything is lost, per partition, and taken again afterwards."""

from __future__ import annotations

import pytest

from serve_app.handlers.errors import translated
from serve_app.metrics import ACCEPTED
from serve_app.services.retention import Appends
from storage.ports import LogBehindError, LogUnavailableError, NewRecord
from tests.support.memory_ports import MemoryScoreLog


class Aging(MemoryScoreLog):
    """A log that says what it is told to."""

    near: set[int] | None = None

    async def near_retention(self, headroom_ms: int) -> set[int]:
        assert headroom_ms > 0
        if self.near is None:
            raise LogUnavailableError("away")
        return self.near


def record(partition: int) -> NewRecord:
    return NewRecord(partition, b"1", b"{}")


async def test_only_what_is_near_its_retention_is_closed() -> None:
    log = Aging(3, clock_ms=lambda: 1)
    appends = Appends(log)
    log.near = {1}
    await appends.check()
    assert await appends.submit([record(0), record(2)], 1) == [0, 0]
    with pytest.raises(LogBehindError) as refused:
        await appends.submit([record(0), record(1)], 1)
    assert (await log.bounds())[0].last == 0, "nothing of the call was appended"
    problem = translated(refused.value)
    assert problem is not None
    assert (problem.status, problem.code) == (503, "log_behind")
    log.near = set()
    await appends.check()
    assert await appends.submit([record(1)], 1) == [0]


async def test_a_log_that_does_not_tell_changes_nothing() -> None:
    log = Aging(3, clock_ms=lambda: 1)
    appends = Appends(log)
    log.near = {1}
    await appends.check()
    log.near = None
    await appends.check()
    assert appends.closed == {1}


async def test_many_are_counted_once_they_are_in_the_log() -> None:
    log = Aging(3, clock_ms=lambda: 1)
    appends = Appends(log)
    accepted = ACCEPTED.labels(entrypoint="retention test", kind="many")
    assert await appends.accept([], "many", "retention test", 1) == []
    assert await appends.accept([record(0), record(0), record(2)], "many", "retention test", 1) == [0, 1, 0]
    log.near = {1}
    await appends.check()
    with pytest.raises(LogBehindError):
        await appends.accept([record(1)], "many", "retention test", 1)
    assert accepted._value.get() == 3
