"""Reads that come together are one call; each gets its own answer, and what waits holds up nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cluster.actors import read_batches
from cluster.actors.read_batches import ReadBatches
from storage.ports import OwnerUnavailableError, ViewQuery

QUERY = ViewQuery()


class Owner:
    """Answers with the tournament's number; `alone` are those that it can only be asked for alone."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []  # (owner, reads)
        self.alone: set[int] = set()
        self.failure: Exception | None = None
        self.failing: set[int] = set()

    async def call(self, owner: str, method: str, *arguments: Any) -> Any:
        if method == "read":
            self.calls.append((owner, 1))
            return arguments[1]
        (reads,) = arguments
        self.calls.append((owner, len(reads)))
        if self.failure is not None:
            raise self.failure
        return [
            ValueError(number) if number in self.failing else None if number in self.alone else number
            for _, number, _ in reads
        ]


async def ask(batches: ReadBatches, *numbers: int, owner: str = "shard-0") -> list[Any]:
    return await asyncio.gather(*(batches.read(owner, 0, n, QUERY) for n in numbers), return_exceptions=True)


async def test_what_comes_together_is_one_call_an_owner() -> None:
    owner = Owner()
    batches = ReadBatches(owner.call)
    found = await asyncio.gather(ask(batches, 1, 2, 3), ask(batches, 4, owner="shard-1"))
    assert list(found) == [[1, 2, 3], [4]]
    assert sorted(owner.calls) == [("shard-0", 3), ("shard-1", 1)]


async def test_the_first_goes_at_once_and_what_follows_soon_goes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_batches, "BATCH_S", 0.05)
    owner = Owner()
    batches = ReadBatches(owner.call)
    began_s = asyncio.get_running_loop().time()
    assert await ask(batches, 1) == [1]
    assert asyncio.get_running_loop().time() - began_s < 0.05
    second = asyncio.create_task(ask(batches, 2))
    await asyncio.sleep(0.01)
    assert await ask(batches, 3) == [3]
    assert await second == [2]
    assert owner.calls == [("shard-0", 1), ("shard-0", 2)]


async def test_what_the_owner_cannot_answer_at_once_is_asked_for_alone() -> None:
    owner = Owner()
    owner.alone = {2}
    assert await ask(ReadBatches(owner.call), 1, 2, 3) == [1, 2, 3]
    assert owner.calls == [("shard-0", 3), ("shard-0", 1)]


async def test_a_failure_is_told_to_all_and_an_error_to_whom_it_concerns() -> None:
    owner = Owner()
    owner.failing = {2}
    found = await ask(ReadBatches(owner.call), 1, 2)
    assert (found[0], repr(found[1])) == (1, "ValueError(2)")
    owner.failure = OwnerUnavailableError("away")
    assert await ask(ReadBatches(owner.call), 1, 2) == [owner.failure] * 2


async def test_many_go_in_several_calls_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_batches, "MAX_BATCH", 4)
    monkeypatch.setattr(read_batches, "MAX_WAITING", 10)
    owner = Owner()
    found = await ask(ReadBatches(owner.call), *range(12))
    assert found[:10] == list(range(10))
    assert all(isinstance(each, OwnerUnavailableError) for each in found[10:])
    assert [count for _, count in owner.calls] == [4, 4, 2]


async def test_one_who_no_longer_waits_disturbs_nobody() -> None:
    owner = Owner()
    batches = ReadBatches(owner.call)
    gone = asyncio.create_task(ask(batches, 1))
    await asyncio.sleep(0)
    staying = asyncio.create_task(ask(batches, 2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await staying == [2]
