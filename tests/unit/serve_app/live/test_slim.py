from __future__ import annotations

import asyncio

import pytest

from serve_app.live.slim import SlimEvent, SlimQueue


async def test_a_queue_gives_in_order_what_it_is_given() -> None:
    queue = SlimQueue[int]()
    assert queue.empty()
    taking = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    for item in (1, 2, 3):
        queue.put_nowait(item)
    assert await taking == 1
    assert (queue.qsize(), queue.empty()) == (2, False)
    assert [await queue.get(), await queue.get()] == [2, 3]


async def test_who_is_cancelled_takes_nothing() -> None:
    queue = SlimQueue[int]()
    taking = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait(1)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await queue.get() == 1


async def test_an_event_lets_go_on_while_it_is_set() -> None:
    event = SlimEvent(is_set=True)
    assert await event.wait()
    event.clear()
    assert not event.is_set()
    waiting = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    event.set()
    event.clear()  # before the task had its turn: it waits on
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    event.set()
    assert await waiting
