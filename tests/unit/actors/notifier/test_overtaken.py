"""Being overtaken: told to those who asked for it, seldom, and only when others did it."""

from __future__ import annotations

from typing import Any

from actors.domain.notices.events import decode_event
from actors.domain.notices.settings import NotificationSettings
from actors.notifier.overtaken import Overtaken
from storage.ports import OwnerUnavailableError, Standing
from tests.contract.test_records import checkpoint, participant, save, tournament
from tests.support.notifying import Bench

THROTTLE_MS = 600_000


class Owners:
    """Answers standings as told; None: away."""

    def __init__(self) -> None:
        self.ranks: dict[int, tuple[int | None, int]] | None = {}
        self.asked: list[tuple[int, ...]] = []

    async def read(self, tournament_id: int, query: Any) -> Any:
        if self.ranks is None:
            raise OwnerUnavailableError("away")
        self.asked.append(query.users)
        return [Standing(user, *self.ranks[user], None) for user in query.users if user in self.ranks]


async def opened(*users: int, status: str = "running") -> tuple[Bench, Owners, Overtaken]:
    bench, owners = Bench(), Owners()
    people = [participant(1, user) for user in (*users, 99)]
    await save(bench.records, checkpoint(tournament(1, status=status), participants=people))
    for user in users:
        await bench.notices.put_settings(user, NotificationSettings(overtaken=True), 0)
    look = Overtaken(bench.notices, bench.records, owners, ("live",), bench.clock, THROTTLE_MS)  # type: ignore[arg-type]
    return bench, owners, look


async def told(bench: Bench) -> list[tuple[int, int | None]]:
    events = [decode_event(job.payload) for job, _ in reversed(await bench.notices.progress(100))]
    return [(event.user_id, event.rank) for event in events]


async def test_others_pass_and_the_next_notice_waits() -> None:
    bench, owners, overtaken = await opened(1, 2)
    owners.ranks = {1: (1, 500), 2: (2, 400)}
    assert await overtaken.look() == 0
    owners.ranks = {1: (3, 500), 2: (2, 400)}
    assert await overtaken.look() == 1
    assert await told(bench) == [(1, 3)]
    owners.ranks = {1: (5, 500), 2: (2, 400)}
    for _ in range(3):
        assert await overtaken.look() == 0
    bench.clock.now_ms += THROTTLE_MS
    assert await overtaken.look() == 1
    assert await told(bench) == [(1, 3), (1, 5)]
    assert set(owners.asked) == {(1, 2)}  # nobody else is asked about


async def test_what_is_ones_own_doing_is_not_told() -> None:
    _, owners, overtaken = await opened(1)
    for rank, score in ((1, 500), (4, 300), (2, 400), (1, 400), (None, 0), (9, 400)):
        owners.ranks = {1: (rank, score)}
        assert await overtaken.look() == 0


async def test_owners_that_are_away_and_tournaments_that_do_not_run() -> None:
    _, owners, overtaken = await opened(1)
    owners.ranks = {1: (1, 500)}
    await overtaken.look()
    owners.ranks = None
    assert await overtaken.look() == 0
    owners.ranks = {1: (2, 500)}
    assert await overtaken.look() == 1
    _, owners, overtaken = await opened(1, status="scheduled")
    await overtaken.look()
    assert owners.asked == []


async def test_many_are_looked_at_page_by_page() -> None:
    _, owners, overtaken = await opened(*range(1, 251))
    for _ in range(4):
        await overtaken.look()
    assert [len(users) for users in owners.asked] == [100, 100, 50, 100]
