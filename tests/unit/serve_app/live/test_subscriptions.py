from __future__ import annotations

from actors.domain.publications import update_frame
from serve_app.live.protocol import Position
from serve_app.live.topic import Taken
from tests.support.live_parts import MemorySocket, Parts, snapshot


async def test_the_start_comes_at_once_where_it_is_at_hand() -> None:
    parts = Parts()
    first, second, third = MemorySocket(), MemorySocket(), MemorySocket()
    topic = parts.watching(first)
    assert parts.fetched == [topic]
    assert first.got == []
    parts.serve_all(topic, snapshot(5))
    assert topic.offer(1, 6, update_frame(7, 1, 6, b"[]"))[0] is Taken.NEXT
    parts.watching(second)
    parts.subscriptions.add(third, "x", 7, Position(1, 5), False)
    assert parts.fetched == [topic]
    assert [s.kinds for s in (first, second, third)] == [
        ["ok", "snapshot"],
        ["ok", "snapshot", "update"],
        ["ok", "update"],
    ]
    assert third.got[0]["id"] == "x"
    assert len(topic.live) == 3
    assert not topic.waiting


async def test_a_second_subscription_starts_over() -> None:
    parts = Parts()
    socket = MemorySocket()
    topic = parts.watching(socket)
    parts.serve_all(topic, snapshot())
    parts.watching(socket)
    assert socket.kinds == ["ok", "snapshot"] * 2
    assert len(topic.live) == len(socket.subscriptions) == 1


async def test_a_paused_socket_is_sent_nothing() -> None:
    parts = Parts()
    socket = MemorySocket()
    topic = parts.watching(socket)
    socket.paused = True
    parts.serve_all(topic, snapshot())
    assert socket.got == []
    assert list(topic.waiting) == list(socket.subscriptions.values())


async def test_an_end_is_an_error_for_one_that_was_not_answered() -> None:
    parts = Parts()
    waiting, live = MemorySocket(), MemorySocket()
    topic = parts.watching(live)
    parts.serve_all(topic, snapshot())
    topic.forget_position()
    parts.watching(waiting)
    waiting.subscriptions[7].answered = False  # a public one is answered before its start
    for socket in (waiting, live):
        parts.subscriptions.refuse(socket.subscriptions[7])
        assert not socket.subscriptions
    assert waiting.kinds[-1] == "tournament_unknown"
    assert live.got[-1] == {"tournament": "7", "type": "unsubscribed", "reason": "tournament_unknown"}
    assert not topic.watched
    assert topic.idle_since is not None


async def test_fewer_rights_end_what_they_gave_and_nothing_else() -> None:
    parts = Parts()
    operator, member = MemorySocket(1, sees_all=True), MemorySocket(2, sees_all=True)
    for socket in (operator, member):
        private = parts.watching(socket, 7)
        public = parts.watching(socket, 8)
    parts.serve_all(private, snapshot(public=False))
    parts.serve_all(public, snapshot())
    member.subscriptions[7].admitted = True
    for socket in (operator, member):
        socket.sees_all = False
        parts.subscriptions.lose_rights(socket)
    assert list(operator.subscriptions) == [8]
    assert operator.got[-1]["reason"] == "not_allowed"
    assert list(member.subscriptions) == [7, 8]


async def test_signing_out_ends_private_ones_and_keeps_public_ones() -> None:
    parts = Parts()
    socket = MemorySocket(1, sees_all=True)
    private, public = parts.watching(socket, 7), parts.watching(socket, 8)
    parts.serve_all(private, snapshot(public=False))
    parts.serve_all(public, snapshot())
    parts.subscriptions.sign_out(socket, "token_expired")
    assert list(socket.subscriptions) == [8]
    assert socket.got[-1] == {"tournament": "7", "type": "unsubscribed", "reason": "token_expired"}
    assert private.idle_since is not None
    assert len(public.live) == 1
