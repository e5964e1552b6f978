from __future__ import annotations

import asyncio
import json

import pytest

from serve_app.live.limits.backpressure import SlowSockets
from serve_app.live.protocol import CLOSE_TOO_SLOW
from serve_app.live.topic import Subscription
from serve_app.metrics import CONFLATED
from tests.support.live_parts import MemorySocket, Parts, snapshot, until


class Slow:
    """A socket that watches two topics, and what looks after it."""

    def __init__(self, timeout_s: float = 3600) -> None:
        self.parts = Parts()
        self.socket = MemorySocket()
        self.topics = [self.parts.watching(self.socket, tournament) for tournament in (1, 2)]
        for topic in self.topics:
            self.parts.serve_all(topic, snapshot())
        self.served: list[Subscription] = []
        self.slow = SlowSockets(self.served.append, timeout_s)

    def pause(self) -> None:
        self.socket.paused = True
        self.slow.pause(self.socket)

    def resume(self) -> None:
        self.socket.paused = False
        self.slow.resume(self.socket)

    @property
    def live(self) -> list[bool]:
        return [bool(topic.live) for topic in self.topics]


@pytest.fixture
def conflated() -> float:
    value: float = CONFLATED._value.get()
    return value


async def test_a_paused_socket_leaves_the_fan_outs_after_the_one_that_found_it(conflated: float) -> None:
    slow = Slow()
    slow.pause()
    assert slow.live == [True, True]  # a loop over them may be under way
    slow.slow.settle()
    assert slow.live == [False, False]
    assert all(len(topic.waiting) == 1 for topic in slow.topics)
    assert CONFLATED._value.get() == conflated + 1
    slow.slow.stop()


async def test_it_leaves_them_without_another_fan_out() -> None:
    slow = Slow()
    slow.pause()
    await asyncio.sleep(0)
    assert slow.live == [False, False]
    slow.slow.stop()


async def test_it_is_served_again_once_it_has_sent_most() -> None:
    slow = Slow(timeout_s=0.01)
    slow.pause()
    slow.slow.settle()
    slow.resume()
    assert slow.served == list(slow.socket.subscriptions.values())
    await asyncio.sleep(0.02)
    assert not slow.socket.closed


async def test_serving_stops_when_it_is_paused_by_that() -> None:
    slow = Slow()
    slow.pause()
    slow.slow.settle()

    def pause_again(subscription: Subscription) -> None:
        slow.served.append(subscription)
        slow.socket.paused = True

    slow.slow = SlowSockets(pause_again, 3600)
    slow.resume()
    assert len(slow.served) == 1


async def test_what_is_not_taken_in_time_closes_it() -> None:
    slow = Slow(timeout_s=0.0)
    slow.pause()
    slow.slow.settle()
    await until(lambda: slow.socket.closed)
    [(code, reason)] = slow.socket.closed
    assert code == CLOSE_TOO_SLOW
    assert 1000 <= json.loads(reason)["retry_after_ms"] < 5000


async def test_one_that_is_gone_by_then_is_left_alone(conflated: float) -> None:
    slow = Slow(timeout_s=0.0)
    slow.pause()
    slow.slow.forget(slow.socket)  # it has left
    slow.slow.settle()
    await asyncio.sleep(0.01)
    assert not slow.socket.closed
    assert CONFLATED._value.get() == conflated
