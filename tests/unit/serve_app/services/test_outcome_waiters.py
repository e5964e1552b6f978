from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from actors.domain.publications import OutcomeReply, encode_outcomes
from serve_app.services import outcome_waiters as module
from serve_app.services.outcome_waiters import Waiters
from tests.support.inprocess_updates import InProcessUpdates


def reply(offset: int, partition: int = 0) -> OutcomeReply:
    return OutcomeReply(partition, offset, "score", "applied")


@pytest.fixture
async def updates() -> InProcessUpdates:
    return InProcessUpdates()


@pytest.fixture
async def waiters(updates: InProcessUpdates) -> AsyncIterator[Waiters]:
    waiters = Waiters(updates, "me", 4)
    await waiters.open()
    yield waiters
    await waiters.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_reply_wakes_who_waits_for_its_record(waiters: Waiters, updates: InProcessUpdates) -> None:
    waiting = [asyncio.create_task(waiters.wait(0, offset, 30)) for offset in (5, 6)]
    await until(lambda: len(waiters) == 2)
    await updates.publish([("replies:me", encode_outcomes([reply(6), reply(5)]))])
    assert await asyncio.gather(*waiting) == [reply(5), reply(6)]
    assert len(waiters) == 0


async def test_a_reply_that_came_first_is_kept_for_its_waiter(waiters: Waiters) -> None:
    waiters.settle([reply(5), reply(5, partition=1)])
    assert await waiters.wait(0, 5, 0) == reply(5)
    assert await waiters.wait(0, 5, 0) is None


async def test_early_replies_are_kept_for_a_while_and_within_a_bound(updates: InProcessUpdates) -> None:
    now = 0.0
    waiters = Waiters(updates, "me", 4, monotonic_s=lambda: now)
    await waiters.open()
    waiters.settle([reply(offset) for offset in range(6)])
    assert await waiters.wait(0, 1, 0) is None
    assert await waiters.wait(0, 2, 0) == reply(2)
    now = module.EARLY_S
    waiters.settle([reply(9)])
    assert await waiters.wait(0, 3, 0) is None
    assert await waiters.wait(0, 9, 0) == reply(9)
    await waiters.close()


async def test_who_waits_in_vain_is_told_so(waiters: Waiters) -> None:
    assert await waiters.wait(0, 1, 0.01) is None
    assert len(waiters) == 0


async def test_beyond_the_bound_nobody_waits(waiters: Waiters) -> None:
    assert waiters.reply_to(1) == "replies:me"
    waiting = [asyncio.create_task(waiters.wait(0, offset, 30)) for offset in range(4)]
    await until(lambda: len(waiters) == 4)
    assert waiters.reply_to(1) == ""
    assert await waiters.wait(0, 9, 30) is None
    waiters.settle([reply(offset) for offset in range(4)])
    assert await asyncio.gather(*waiting) == [reply(offset) for offset in range(4)]


async def test_no_wait_needs_no_reply(waiters: Waiters) -> None:
    assert waiters.reply_to(0) == ""


async def test_a_cancelled_request_leaves_nothing_behind(waiters: Waiters) -> None:
    waiting = asyncio.create_task(waiters.wait(0, 1, 30))
    await until(lambda: len(waiters) == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(waiters) == 0


async def test_closing_tells_who_waits(updates: InProcessUpdates) -> None:
    waiters = Waiters(updates, "me", 4)
    await waiters.open()
    waiting = asyncio.create_task(waiters.wait(0, 1, 30))
    await until(lambda: len(waiters) == 1)
    await waiters.close()
    assert await waiting is None
    assert not waiters.healthy
    await waiters.close()


async def test_it_subscribes_anew_when_the_broker_was_away(
    waiters: Waiters, updates: InProcessUpdates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    updates.broken = True
    await updates.publish([("replies:me", b"")])
    await asyncio.sleep(0.02)
    updates.broken = False
    waiting = asyncio.create_task(waiters.wait(0, 1, 30))
    while not waiting.done():  # what is published while nobody subscribes is lost
        await updates.publish([("replies:me", encode_outcomes([reply(1)]))])
        await asyncio.sleep(0.001)
    assert await waiting == reply(1)
    assert waiters.healthy


async def test_an_unreadable_reply_is_dropped(waiters: Waiters, updates: InProcessUpdates) -> None:
    waiting = asyncio.create_task(waiters.wait(0, 1, 30))
    await until(lambda: len(waiters) == 1)
    await updates.publish([("replies:me", b"nonsense"), ("replies:me", encode_outcomes([reply(1)]))])
    assert await waiting == reply(1)
