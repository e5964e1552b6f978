from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.ports import LogUnavailableError
from storage.score_log import pending_calls
from storage.score_log.pending_calls import LogCalls, nothing_appended


class Call:
    """A call in a writer's hands; `sent`: it may have reached the log."""

    def __init__(self, *, sent: bool = False) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.sent = sent


class Writer:
    def __init__(self) -> None:
        self.withdrawn: list[Call] = []
        self.calls = LogCalls[Call](self.withdraw)

    def withdraw(self, call: Call) -> bool:
        self.withdrawn.append(call)
        return not call.sent


@pytest.fixture(autouse=True)
def tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_calls, "TICK_S", 0.002)


async def until_quiet(writer: Writer) -> None:
    async with asyncio.timeout(5):
        while writer.calls._running:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("sent", "told"), [(False, "nothing was appended"), (True, "whether it was appended is unknown")]
)
async def test_a_call_without_an_answer_in_time_fails_and_says_what_is_known(sent: bool, told: str) -> None:
    writer = Writer()
    call = Call(sent=sent)
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(LogUnavailableError, match=rf"within 0\.02 s; {told}"):
        await writer.calls.start(call, 0.02)
    assert asyncio.get_running_loop().time() - began_s >= 0.02
    assert writer.withdrawn == [call]


async def test_an_answered_call_is_left_alone() -> None:
    writer = Writer()
    call = Call()
    future = writer.calls.start(call, 0.01)
    call.future.set_result([7])
    assert await future == [7]
    await until_quiet(writer)
    assert writer.withdrawn == []
    assert not writer.calls._due


async def test_a_cancelled_call_is_withdrawn_once() -> None:
    writer = Writer()
    call = Call()

    async def submit() -> Any:
        return await writer.calls.start(call, 0.01)

    task = asyncio.create_task(submit())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until_quiet(writer)
    assert writer.withdrawn == [call]


async def test_each_call_has_its_own_limit() -> None:
    writer = Writer()
    slow, quick = Call(), Call()
    futures = [writer.calls.start(slow, 30), writer.calls.start(quick, 0.004)]
    with pytest.raises(LogUnavailableError):
        await futures[1]
    assert writer.withdrawn == [quick]
    slow.future.set_result([1])
    assert await futures[0] == [1]


async def test_the_timer_starts_again_after_it_had_nothing_to_do() -> None:
    writer = Writer()
    for _ in range(2):
        with pytest.raises(LogUnavailableError):
            await writer.calls.start(Call(), 0.002)
        await until_quiet(writer)
    assert len(writer.withdrawn) == 2


async def test_nothing_to_append_is_an_answer() -> None:
    assert await nothing_appended() == []
