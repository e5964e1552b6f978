from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from serve_app.live import resync
from serve_app.live.resync import POSITIONS_A_CALL, Sync
from serve_app.live.topic import Topic
from serve_app.metrics import RESYNCS
from storage.ports import (
    Access,
    AccessQuery,
    LiveQuery,
    LiveSnapshot,
    OwnerUnavailableError,
    Reply,
    StorageError,
    ViewQuery,
)
from tests.support.live_parts import MemorySocket, Parts, ScriptedOwners, snapshot, until

VIEW = {
    "status": "running", "participants": 2, "starts_at": None, "ends_at": None, "ties": "first", "id": "7",
    "top": [{"user_id": "1", "name": "One", "score": 5, "rank": 1}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resync, "BACKOFF_FIRST_S", 0.001)
    monkeypatch.setattr(resync, "BACKOFF_MOST_S", 0.002)
    monkeypatch.setattr(resync, "CHANNEL_WAIT_S", 0.0)


class Flights:
    """A `Sync`, and what it handed on."""

    def __init__(self, read_model: ScriptedOwners | None = None) -> None:
        self.parts = Parts()
        self.owners = self.parts.owners
        self.owners.answers[LiveQuery] = snapshot()
        self.adopted: list[LiveSnapshot] = []
        self.admitted: list[Topic] = []
        self.broken = 0
        self.sync = Sync(
            self.parts.topics,
            self.parts.calls,
            self.parts.subscriptions,
            self._adopt,
            self._admit,
            read_model,  # type: ignore[arg-type]  # it is asked for nothing but `read`
        )

    def _adopt(self, topic: Topic, answer: LiveSnapshot) -> bool:
        if self.broken:
            self.broken -= 1
            raise RuntimeError("a defect")
        self.adopted.append(answer)
        return self.parts.serve_all(topic, answer)

    async def _admit(self, topic: Topic) -> None:
        self.admitted.append(topic)
        for waiting in list(topic.waiting):
            self.parts.subscriptions.refuse(waiting)

    def resyncs(self) -> float:
        value: float = RESYNCS.labels("behind")._value.get()
        return value


async def test_one_flight_serves_all_who_wait() -> None:
    flights = Flights()
    sockets = [MemorySocket() for _ in range(3)]
    for socket in sockets:
        topic = flights.parts.watching(socket)
        flights.sync.request(topic)
    await until(lambda: topic.flight is None)
    assert flights.owners.asked == [LiveQuery()]
    assert [socket.kinds for socket in sockets] == [["ok", "snapshot"]] * 3
    assert flights.admitted == []


async def test_those_who_wait_for_a_private_topic_are_admitted_after_the_snapshot() -> None:
    flights = Flights()
    flights.owners.answers[LiveQuery] = snapshot(public=False)
    socket = MemorySocket(1)
    topic = flights.parts.watching(socket)
    flights.sync.request(topic)
    await until(lambda: topic.flight is None)
    assert flights.admitted == [topic]
    assert socket.kinds == ["tournament_unknown"]


@pytest.mark.parametrize("fails", ["away", "defect"])
async def test_it_tries_until_there_is_a_snapshot(fails: str) -> None:
    flights = Flights()
    if fails == "away":
        flights.owners.answers[LiveQuery] = OwnerUnavailableError("away")
    else:
        flights.broken = 3
    socket = MemorySocket()
    topic = flights.parts.watching(socket)
    flights.sync.request(topic)
    await until(lambda: len(flights.owners.asked) >= 3)
    flights.owners.answers[LiveQuery] = snapshot()
    await until(lambda: topic.flight is None)
    assert socket.kinds == ["ok", "snapshot"]


async def test_a_flight_for_sockets_that_take_nothing_ends() -> None:
    flights = Flights()
    socket = MemorySocket()
    socket.paused = True
    topic = flights.parts.watching(socket)
    flights.sync.request(topic)
    await until(lambda: topic.flight is None)
    assert socket.got == []
    assert topic.synced  # for when it does


async def test_a_topic_that_is_dropped_takes_its_flight_with_it() -> None:
    flights = Flights()
    flights.owners.free.clear()
    old = flights.parts.watching(MemorySocket())
    flights.sync.request(old)
    await until(lambda: flights.owners.under_way["now"] == 1)
    flights.parts.topics.drop(old)
    socket = MemorySocket()
    new = flights.parts.watching(socket)
    flights.sync.request(new)
    flights.owners.free.set()
    await until(lambda: new.flight is None)
    assert socket.kinds == ["ok", "snapshot"]
    assert flights.adopted == [snapshot()]


class TestWhileTheOwnerIsAway:
    def away(self, access: Any, view: Any) -> Flights:
        read_model = ScriptedOwners()
        read_model.answers = {AccessQuery: access, ViewQuery: view}
        flights = Flights(read_model)
        flights.owners.answers[LiveQuery] = OwnerUnavailableError("away")
        return flights

    async def test_the_read_model_is_shown_once_and_the_snapshot_when_it_is_back(self) -> None:
        flights = self.away(Access(True, True), Reply(True, body=json.dumps(VIEW).encode(), epoch=3, seq=4))
        socket = MemorySocket()
        topic = flights.parts.watching(socket)
        flights.sync.request(topic)
        await until(lambda: len(flights.owners.asked) >= 4)
        assert socket.kinds == ["ok", "snapshot"]
        shown = socket.got[1]
        assert (shown["epoch"], shown["seq"]) == (3, 4)
        assert shown["data"]["top"] == [{"user_id": "1", "name": "One", "score": 5}]
        assert shown["data"].keys() == {"status", "participants", "starts_at", "ends_at", "ties", "top"}
        flights.owners.answers[LiveQuery] = snapshot(9)
        await until(lambda: topic.flight is None)
        assert socket.kinds == ["ok", "snapshot", "snapshot"]

    async def test_a_private_one_is_for_those_whom_the_read_model_names(self) -> None:
        reply = Reply(True, body=json.dumps(VIEW).encode())
        flights = self.away(lambda query: Access(True, False, query.user_id == 1), reply)
        member, stranger, operator = MemorySocket(1), MemorySocket(2), MemorySocket(3, sees_all=True)
        for socket in (member, stranger, operator):
            topic = flights.parts.watching(socket)
        flights.sync.request(topic)
        await until(lambda: len(flights.owners.asked) >= 3)
        assert member.kinds == operator.kinds == ["ok", "snapshot"]
        assert stranger.kinds == ["ok"]  # as of an unknown one: only the owner refuses
        await flights.sync.stop()

    @pytest.mark.parametrize("view", [None, StorageError("away, too")])
    async def test_without_a_read_model_the_subscription_stands_and_waits(self, view: Any) -> None:
        flights = self.away(Access(True, True), view)
        socket = MemorySocket()
        flights.sync.request(flights.parts.watching(socket))
        await until(lambda: len(flights.owners.asked) >= 3)
        assert socket.kinds == ["ok"]
        await flights.sync.stop()


async def test_what_is_behind_its_owner_is_brought_in_step_unless_it_catches_up() -> None:
    flights = Flights()
    topics = [flights.parts.watching(MemorySocket(), tournament) for tournament in (1, 2, 3)]
    for topic in topics:
        topic.adopt(snapshot(5))
    flights.owners.found = {1: (1, 6), 2: (1, 6), 3: (1, 5)}
    before = flights.resyncs()
    check = asyncio.create_task(flights.sync.check_positions(topics, 0.01))
    await until(lambda: flights.owners.asked)
    topics[0].adopt(snapshot(6))
    flights.owners.answers[LiveQuery] = snapshot(6)
    await check
    assert flights.resyncs() == before + 1
    await until(lambda: topics[1].synced)
    assert [topic.seq for topic in topics] == [6, 6, 5]


async def test_positions_are_asked_for_in_bounded_calls_and_owners_that_are_away_are_left_out() -> None:
    flights = Flights()
    topics = [flights.parts.watching(MemorySocket(), tournament) for tournament in range(1, POSITIONS_A_CALL + 3)]
    for topic in topics[1:]:
        topic.adopt(snapshot(5))  # the first has no position yet
    flights.owners.found = OwnerUnavailableError("away")
    await flights.sync.check_positions(topics, 0)
    assert [len(asked) for asked in flights.owners.asked] == [POSITIONS_A_CALL, 1]


async def test_what_nobody_watches_is_not_fetched() -> None:
    flights = Flights()
    topic = flights.parts.topics.obtain(7)
    topic.adopt(snapshot())
    flights.sync.resync(topic, "lost")
    assert topic.flight is None
    assert not topic.synced


async def test_calls_to_owners_are_bounded() -> None:
    flights = Flights()
    flights.owners.free.clear()
    for tournament in range(1, 20):
        flights.sync.request(flights.parts.watching(MemorySocket(), tournament))
    await until(lambda: flights.owners.under_way["now"] == 4)
    flights.owners.free.set()
    await until(lambda: not any(topic.flight for topic in flights.parts.topics.by_id.values()))
    assert flights.owners.under_way["most"] == 4
    assert len(flights.owners.asked) == 19
