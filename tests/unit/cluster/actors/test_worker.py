"""The base of actors that work beside the tournaments: what it waits for, what it tries again, what ends its process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.actors import process, worker
from cluster.actors.worker import Worker
from cluster.config.settings import Settings
from cluster.startup.ports import open_records
from storage.ports import LogUnavailableError, Records, RecordsUnavailableError


class Counting(Worker):
    """Counts its turns; `troubles` are raised one a turn."""

    name = "counting"

    def __init__(self, settings: Settings, *troubles: Exception, pause_s: float = 0.0) -> None:
        super().__init__(settings)
        self.troubles = list(troubles)
        self.pause_s = pause_s
        self.wake = asyncio.Event()
        self.turns = 0
        self.ended = False
        self.records: Records | None = None

    async def begin(self, records: Records) -> None:
        self.records = records
        self.repeat("turns", self.pause_s, self.turn, self.wake)
        self.repeat("idle", 3600.0, self.idle)

    async def end(self) -> None:
        self.ended = True

    async def turn(self) -> None:
        self.turns += 1
        if self.troubles:
            raise self.troubles.pop(0)

    async def idle(self) -> None:
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "AWAY_S", 0.001)
    monkeypatch.setattr(worker, "settle", lambda: None)  # what other tests made is not to be frozen


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why the process would have ended."""
    reasons: list[str] = []
    for module in (process, worker):
        monkeypatch.setattr(module, "end_process", lambda reason, error=None: reasons.append(reason))
    return reasons


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def settings(path: Path) -> Settings:
    return Settings(data_dir=path)


async def test_what_a_store_refuses_for_now_is_tried_again(tmp_path: Path, ends: list[str]) -> None:
    troubles = RecordsUnavailableError("away"), LogUnavailableError("away")
    working = Counting(settings(tmp_path), *troubles, pause_s=3600.0)
    await until(lambda: working.turns == 3)  # the third one succeeds, and an hour's pause follows
    await asyncio.sleep(0.02)
    assert (working.turns, ends) == (3, [])
    working.wake.set()
    await until(lambda: working.turns == 4)
    await working.stop()
    assert working.ended
    assert ends == []


async def test_any_other_error_ends_the_process_and_names_the_loop(tmp_path: Path, ends: list[str]) -> None:
    working = Counting(settings(tmp_path), ValueError("a fault"))
    await until(lambda: bool(ends))
    assert ends == ["background task counting: turns ended"]
    await working.stop()


async def test_it_begins_once_the_records_answer(
    tmp_path: Path, ends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def open_late(settings: Settings) -> Records:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RecordsUnavailableError("away")
        return await open_records(settings)

    monkeypatch.setattr(worker, "open_records", open_late)
    working = Counting(settings(tmp_path))
    assert await working.ready()
    assert working.records is None
    await until(lambda: working.turns > 3)
    assert tries == 3
    await working.stop()
    assert ends == []


async def test_it_stops_while_it_waits_for_the_records(
    tmp_path: Path, ends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(settings: Settings) -> Records:
        raise RecordsUnavailableError("away")

    monkeypatch.setattr(worker, "open_records", away)
    working = Counting(settings(tmp_path))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(1):
        await working.stop()
    assert (working.ended, ends) == (False, [])


async def test_a_start_that_fails_for_good_ends_the_process(
    tmp_path: Path, ends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(settings: Settings) -> Records:
        raise ValueError("a fault")

    monkeypatch.setattr(worker, "open_records", broken)
    Counting(settings(tmp_path))
    await until(lambda: bool(ends))
    assert ends == ["counting did not start"]
