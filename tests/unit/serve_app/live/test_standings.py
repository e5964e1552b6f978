from __future__ import annotations

from typing import Any

import pytest

from actors.domain.publications import changed_channel
from serve_app.live.topic import Topic
from storage.ports import OwnerUnavailableError, Standing, StandingsQuery
from tests.support.live_parts import MemorySocket, Parts, snapshot, until


class Table:
    """The standings that an owner tells; ranks by user."""

    def __init__(self, parts: Parts) -> None:
        self.ranks: dict[int, int] = {1: 1, 2: 2}
        parts.owners.answers[StandingsQuery] = self

    def __call__(self, query: StandingsQuery) -> list[Standing]:
        return [Standing(user, self.ranks[user], 1000 * user, 50.0) for user in query.users if user in self.ranks]


def live(parts: Parts, user: int) -> tuple[MemorySocket, Topic]:
    socket = MemorySocket(user)
    topic = parts.watching(socket, me=True)
    parts.serve_all(topic, snapshot())
    return socket, topic


def sent(socket: MemorySocket) -> list[Any]:
    return [(m["rank"], m["previous_rank"]) for m in socket.got if m.get("type") == "me"]


async def test_ones_own_standing_comes_at_once_and_when_it_changes() -> None:
    parts = Parts()
    table = Table(parts)
    socket, topic = live(parts, 2)
    await until(lambda: sent(socket) == [(2, None)])
    assert changed_channel(7) in parts.topics.by_channel
    parts.standings.changed(topic, {1})  # somebody else
    assert len(parts.owners.asked) == 1
    table.ranks[2] = 1
    parts.standings.changed(topic, {1, 2})
    await until(lambda: sent(socket) == [(2, None), (1, 2)])
    assert parts.owners.asked[-1].users == (2,)


async def test_what_has_not_changed_is_not_sent_again() -> None:
    parts = Parts()
    Table(parts)
    socket, topic = live(parts, 2)
    await until(lambda: sent(socket))
    await parts.standings.refresh([topic])
    assert len(parts.owners.asked) == 2
    assert len(sent(socket)) == 1


async def test_one_question_at_a_time_and_then_one_for_all_that_changed_meanwhile() -> None:
    parts = Parts()
    Table(parts)
    parts.owners.free.clear()
    one, topic = live(parts, 1)
    await until(lambda: len(parts.owners.asked) == 1)
    two, _ = live(parts, 2)
    parts.standings.changed(topic, None)
    parts.owners.free.set()
    await until(lambda: sent(one) and sent(two))
    assert [query.users for query in parts.owners.asked] == [(1,), (1, 2)]


async def test_no_one_is_told_all_null_and_no_paused_socket() -> None:
    parts = Parts()
    table = Table(parts)
    stranger, topic = live(parts, 3)
    await until(lambda: sent(stranger) == [(None, None)])
    stranger.paused = True
    table.ranks[3] = 3
    await parts.standings.refresh([topic])
    assert len(sent(stranger)) == 1
    stranger.paused = False
    await parts.standings.refresh([topic])
    assert sent(stranger)[-1] == (3, None)


@pytest.mark.parametrize("error", [OwnerUnavailableError("away"), RuntimeError("a defect")])
async def test_an_owner_that_does_not_answer_is_asked_by_the_next_check(error: Exception) -> None:
    parts = Parts()
    parts.owners.answers[StandingsQuery] = error
    socket, topic = live(parts, 1)
    await parts.standings.refresh([topic])
    assert not sent(socket)
    Table(parts)
    await parts.standings.refresh([topic])
    assert sent(socket) == [(1, None)]


async def test_whoever_left_is_not_asked_for_and_changes_are_no_longer_heard() -> None:
    parts = Parts()
    Table(parts)
    socket, topic = live(parts, 1)
    await until(lambda: sent(socket))
    parts.subscriptions.remove(socket, 7)
    assert topic.me == {}
    assert changed_channel(7) not in parts.topics.by_channel
    await parts.standings.refresh([topic])
    assert len(parts.owners.asked) == 1


async def test_stopping_ends_questions_under_way() -> None:
    parts = Parts()
    parts.owners.free.clear()
    live(parts, 1)
    await until(lambda: parts.owners.under_way["now"] == 1)
    await parts.standings.stop()
    assert parts.owners.under_way["now"] == 0
