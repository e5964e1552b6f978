"""When a process collects all its garbage."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from cluster.actors import process
from cluster.actors.process import (
    BUSY_INTERVAL_S,
    CHECK_INTERVAL_S,
    COLLECT_AFTER,
    NEW_SHARE,
    PAUSE_SHARE,
    QUIET_CORES,
    QUIET_INTERVAL_S,
    FullCollections,
)


class Node:
    """Part of a cycle."""

    def __init__(self) -> None:
        self.itself = self


class Clock:
    """Of the wall and of the processor."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.used_s = 10.0

    def go_on(self, seconds: float, *, cores: float) -> None:
        self.now_s += seconds
        self.used_s += seconds * cores


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """As `settle` leaves it; what it froze and set does not stay with the other tests."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def old_cycle() -> weakref.ref[Node]:
    """Garbage in the oldest generation, which nothing but a full collection finds."""
    node = Node()
    gc.collect(1)
    gc.collect(1)
    return weakref.ref(node)


def new_objects(times: int = 2) -> list[list[int]]:
    return [[] for _ in range(times * COLLECT_AFTER[0])]


def collections(clock: Clock) -> FullCollections:
    return FullCollections(lambda: clock.now_s, lambda: clock.used_s)


def until_collected(full: FullCollections, clock: Clock, *, cores: float) -> float:
    """Seconds until it collects."""
    began_s = clock.now_s
    while clock.now_s < began_s + 10 * BUSY_INTERVAL_S:
        clock.go_on(CHECK_INTERVAL_S, cores=cores)
        if full.check():
            break
    return clock.now_s - began_s


@pytest.mark.parametrize(
    ("cores", "after_s"), [(0.05, QUIET_INTERVAL_S), (2 * QUIET_CORES, BUSY_INTERVAL_S)], ids=["quiet", "busy"]
)
def test_old_garbage_goes_soon_when_quiet_and_late_when_busy(cores: float, after_s: float) -> None:
    clock = Clock()
    full = collections(clock)
    gone, kept = old_cycle(), new_objects()
    assert gone() is not None
    assert until_collected(full, clock, cores=cores) == after_s
    assert gone() is None
    assert kept


def test_nothing_new_is_no_reason_to_collect() -> None:
    clock = Clock()
    full = collections(clock)
    gc.collect()
    assert until_collected(full, clock, cores=0.0) == 10 * BUSY_INTERVAL_S
    kept = new_objects()
    clock.go_on(CHECK_INTERVAL_S, cores=0.0)
    assert full.check()
    assert kept


def test_the_more_is_kept_the_more_must_be_new() -> None:
    clock = Clock()
    full = collections(clock)
    kept = [new_objects(int(2 / NEW_SHARE))]
    assert until_collected(full, clock, cores=0.0) == QUIET_INTERVAL_S
    kept.append(new_objects(1))
    assert until_collected(full, clock, cores=0.0) == 10 * BUSY_INTERVAL_S
    kept.append(new_objects(2))
    assert until_collected(full, clock, cores=0.0) == CHECK_INTERVAL_S


def test_long_pauses_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    full = collections(clock)
    pause_s = 2 * PAUSE_SHARE * QUIET_INTERVAL_S
    collect = gc.collect

    def slow() -> int:
        clock.go_on(pause_s, cores=1.0)
        return collect()

    kept = [new_objects()]
    monkeypatch.setattr(gc, "collect", slow)
    until_collected(full, clock, cores=0.0)
    kept.append(new_objects())
    assert until_collected(full, clock, cores=0.0) >= pause_s / PAUSE_SHARE > QUIET_INTERVAL_S


async def test_a_settled_process_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CHECK_INTERVAL_S", 0.001)
    monkeypatch.setattr(process, "QUIET_INTERVAL_S", 0.0)
    monkeypatch.setattr(process, "BUSY_INTERVAL_S", 0.0)
    monkeypatch.setattr(process, "PAUSE_SHARE", 1e9)
    process.settle()
    gone, kept = old_cycle(), new_objects()
    async with asyncio.timeout(20):
        while gone() is not None:
            await asyncio.sleep(0.001)
    assert kept
