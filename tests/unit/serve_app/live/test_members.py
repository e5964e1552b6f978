from __future__ import annotations

from serve_app.live.members import Members
from serve_app.live.topic import Topic
from storage.ports import Access, AccessQuery, OwnerUnavailableError, Standing, StandingsQuery
from tests.support.live_parts import MemorySocket, Parts, snapshot, until


class Club:
    """A private tournament that users 1 and 2 take part in; `invited` may see it besides."""

    def __init__(self) -> None:
        self.members = {1, 2}
        self.parts = Parts()
        self.under_test = Members(self.parts.calls, self.parts.subscriptions)
        self.parts.owners.answers = {
            AccessQuery: lambda query: Access(True, False, query.user_id in self.members),
            StandingsQuery: lambda query: [Standing(u, None, None, None) for u in query.users if u in self.members],
        }
        self.topic: Topic

    def enter(self, user: int | None, *, sees_all: bool = False) -> MemorySocket:
        socket = MemorySocket(user, sees_all=sees_all)
        self.topic = self.parts.watching(socket)
        self.topic.adopt(snapshot(public=False))
        return socket

    async def inside(self, user: int) -> MemorySocket:
        socket = self.enter(user)
        await self.under_test.admit(self.topic)
        assert socket.kinds == ["ok", "snapshot"]
        return socket


async def test_members_are_served_and_strangers_told_what_unknown_ids_are() -> None:
    club = Club()
    sockets = [club.enter(user) for user in (1, 2, 3, None)]
    await club.under_test.admit(club.topic)
    assert [s.kinds for s in sockets] == [["ok", "snapshot"]] * 2 + [["tournament_unknown"]] * 2
    assert not club.topic.waiting


async def test_each_user_is_asked_about_once_and_who_sees_all_not_at_all() -> None:
    club = Club()
    for _ in range(3):
        club.enter(1)
    operator = club.enter(9, sees_all=True)
    await club.under_test.admit(club.topic)
    assert club.parts.owners.asked == [AccessQuery(1)]
    assert operator.kinds == ["ok", "snapshot"]


async def test_whoever_was_removed_is_told_at_once() -> None:
    club = Club()
    one, two = await club.inside(1), await club.inside(2)
    club.members.remove(1)
    club.under_test.changed(club.topic, {1})
    await until(lambda: one.kinds[-1] == "unsubscribed")
    assert one.got[-1]["reason"] == "not_allowed"
    assert two.kinds == ["ok", "snapshot"]
    assert not one.subscriptions


async def test_changes_of_others_and_of_public_tournaments_ask_nobody() -> None:
    club = Club()
    await club.inside(1)
    asked = len(club.parts.owners.asked)
    club.under_test.changed(club.topic, {5})
    club.topic.public = True
    club.under_test.changed(club.topic, None)
    assert len(club.parts.owners.asked) == asked
    assert not club.under_test._asking


async def test_who_is_doubted_while_a_question_is_under_way_is_asked_about_next() -> None:
    club = Club()
    one, two = await club.inside(1), await club.inside(2)
    club.parts.owners.free.clear()
    asked = len(club.parts.owners.asked)
    club.under_test.changed(club.topic, {1})
    await until(lambda: len(club.parts.owners.asked) == asked + 1)
    club.members.clear()
    club.under_test.changed(club.topic, None)
    club.parts.owners.free.set()
    await until(lambda: one.kinds[-1] == two.kinds[-1] == "unsubscribed")


async def test_whoever_waits_still_learns_no_more_than_a_stranger() -> None:
    club = Club()
    waiting = club.enter(3)
    await club.under_test.check(club.topic)
    assert waiting.kinds == ["tournament_unknown"]


async def test_nor_does_whoever_was_answered_while_the_owner_was_away() -> None:
    """Whoever subscribes meanwhile is told that it stands, be there such a tournament or not."""
    club = Club()
    waiting, unknown = club.enter(3), MemorySocket(3)
    nowhere = club.parts.watching(unknown, 8)
    for topic in (club.topic, nowhere):
        for subscription in topic.waiting:
            subscription.answer()
    await club.under_test.check(club.topic)
    for subscription in list(nowhere.waiting):
        club.parts.subscriptions.refuse(subscription)
    assert waiting.kinds == unknown.kinds == ["ok", "unsubscribed"]
    assert waiting.got[-1]["reason"] == unknown.got[-1]["reason"]


async def test_nobody_is_sent_away_while_the_owner_is() -> None:
    club = Club()
    one = await club.inside(1)
    club.parts.owners.answers[StandingsQuery] = OwnerUnavailableError("away")
    await club.under_test.check(club.topic)
    assert one.kinds == ["ok", "snapshot"]
    await club.under_test.stop()
