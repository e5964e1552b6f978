from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serve_app.config import FrontConfig
from serve_app.http.problems import Problem
from serve_app.services.reads import CachedReply, Reads
from storage.ports import Query, RankingsQuery, Reply
from tests.support.front import Front, open_front


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


@pytest.fixture
async def reads(front: Front, clock: Clock) -> AsyncIterator[Reads]:
    yield (reads := make(front, clock))
    await reads.close()


def make(front: Front, clock: Clock, **config: Any) -> Reads:
    palio = front.palio
    return Reads(
        FrontConfig(**config), palio.owners, palio.records, palio.read_model, palio.partitions, monotonic_s=clock
    )


async def test_a_view_is_asked_for_once_while_it_is_fresh(front: Front, reads: Reads, clock: Clock) -> None:
    tournament = await front.create()
    front.palio.owners.calls.clear()
    known = await reads.find(tournament)
    for _ in range(5):
        assert (await reads.view(known)).found
    assert front.palio.owners.calls == {"access": 1, "view": 1}
    entry = reads.cached_view(tournament, None, clock())
    assert entry is not None
    assert entry.reply.body == (await reads.view(known)).body
    clock.now += 1
    assert reads.cached_view(tournament, None, clock()) is None
    await reads.view(known)
    assert front.palio.owners.calls == {"access": 1, "view": 2}


async def test_one_caller_refreshes_for_all(front: Front, reads: Reads, clock: Clock) -> None:
    tournament = await front.create()
    front.palio.owners.calls.clear()
    front.palio.owners.delay_s = 0.01
    known = await reads.find(tournament)
    for _ in range(2):
        await asyncio.gather(*(reads.view(known) for _ in range(50)))
        clock.now += 1
    assert front.palio.owners.calls == {"access": 1, "view": 2}


async def test_a_caller_who_goes_away_takes_no_one_along(front: Front, reads: Reads) -> None:
    tournament = await front.create()
    front.palio.owners.delay_s = 0.02
    first = asyncio.create_task(reads.find(tournament))
    second = asyncio.create_task(reads.find(tournament))
    await asyncio.sleep(0.005)
    first.cancel()
    assert (await second).text == tournament


async def test_old_bytes_of_a_bounded_age_while_the_owner_is_down_and_the_first_reader_after_gets_new_ones(
    front: Front, reads: Reads, clock: Clock
) -> None:
    tournament = await front.create()
    known = await reads.find(tournament)
    before = await reads.view(known)
    await front.join(tournament, 42)
    front.palio.owners.down = True
    clock.now += 1.5
    shown = await reads.view(known)
    assert (shown.body, shown.age_s) == (before.body, 1.5)
    clock.now += 0.5  # 2 s, the bound
    with pytest.raises(Problem) as caught:
        await reads.view(known)
    assert caught.value.status == 503
    front.palio.read_model.holds = True
    clock.now += 30
    assert b'"participants":1' in (await reads.view(known)).body
    await front.join(tournament, 43)
    front.palio.owners.down = False
    clock.now += 1
    after = await reads.view(known)
    assert (b'"participants":2' in after.body, after.age_s) == (True, 0)


async def test_bytes_beyond_their_age_are_not_shown_though_the_read_model_be_further_behind(
    front: Front, reads: Reads, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tournament = await front.create()
    known = await reads.find(tournament)
    older = await reads.view(known)
    await front.join(tournament, 42)
    clock.now += 1
    assert b'"participants":1' in (await reads.view(known)).body

    async def read(tournament_id: int, query: Query[Reply]) -> Reply:
        return older

    monkeypatch.setattr(front.palio.read_model, "read", read)
    front.palio.owners.down = True
    clock.now += 1.9
    assert b'"participants":1' in (await reads.view(known)).body
    clock.now += 0.1
    assert (await reads.view(known)).body == older.body


async def test_a_slow_owner_does_not_make_old_bytes_any_older(
    front: Front, reads: Reads, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.services.reads.STALE_AFTER_S", 0.01)
    tournament = await front.create()
    known = await reads.find(tournament)
    await front.join(tournament, 42)
    front.palio.owners.delay_s = 0.05
    clock.now += 45
    assert b'"participants":1' in (await reads.view(known)).body


async def test_the_age_is_told(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    tournament = await front.create()
    path = f"/v1/tournaments/{tournament}"
    assert "age" not in (await front.call("GET", path)).headers
    now = time.monotonic()
    front.services.reads._monotonic_s = lambda: now + 1.9
    monkeypatch.setattr("serve_app.handlers.reads.time.monotonic", lambda: now + 1.9)
    front.palio.owners.down = True
    assert (await front.call("GET", path)).headers["age"] == "1"


async def test_nobody_waits_for_a_slow_owner_who_can_have_old_bytes(
    front: Front, reads: Reads, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.services.reads.STALE_AFTER_S", 0.01)
    tournament = await front.create()
    known = await reads.find(tournament)
    await reads.view(known)
    front.palio.owners.delay_s = 30
    clock.now += 1
    async with asyncio.timeout(5):
        assert (await reads.view(known)).found


async def test_the_read_model_then_503(front: Front, reads: Reads) -> None:
    tournament = await front.create()
    front.palio.owners.down = True
    known = await reads.find(tournament)  # the durable row tells that it exists
    with pytest.raises(Problem) as caught:
        await reads.view(known)
    assert (caught.value.status, caught.value.code) == (503, "unavailable")
    front.palio.read_model.holds = True
    assert (await reads.view(known)).found


async def test_what_nobody_can_tell_of_is_not_called_unknown(front: Front, reads: Reads) -> None:
    front.palio.owners.down = True
    with pytest.raises(Problem) as caught:
        await reads.find("77")
    assert caught.value.status == 503
    front.palio.owners.down = False
    with pytest.raises(Problem) as caught:
        await reads.find("77")
    assert (caught.value.status, caught.value.code) == (404, "tournament_unknown")


async def test_private_tournaments_are_never_cached(front: Front, reads: Reads, clock: Clock) -> None:
    tournament = await front.create(visibility="private")
    known = await reads.find(tournament)
    assert known.public is False
    front.palio.owners.calls.clear()
    for _ in range(3):
        assert (await reads.view(known)).found
        assert (await reads.rankings(known, RankingsQuery())).found
    assert front.palio.owners.calls == {"view": 3, "rankings": 3}
    assert reads.cached_view(tournament, None, clock()) is None
    assert not reads._cache


async def test_the_first_page_of_rankings_is_cached_and_others_are_not(
    front: Front, reads: Reads, clock: Clock
) -> None:
    tournament = await front.create()
    known = await reads.find(tournament)
    for query in (RankingsQuery(limit=10), RankingsQuery(limit=20), RankingsQuery(start=10, limit=10)):
        for _ in range(2):
            assert (await reads.rankings(known, query)).found
    assert front.palio.owners.calls["rankings"] == 4


async def test_a_command_of_this_process_is_seen_at_once(front: Front) -> None:
    tournament = await front.create()
    path = f"/v1/tournaments/{tournament}"
    assert (await front.call("GET", path)).json()["participants"] == 0
    await front.join(tournament, 42)
    assert (await front.call("GET", path)).json()["participants"] == 1


async def test_a_command_of_this_process_forgets_the_pages_too(front: Front) -> None:
    tournament = await front.create()
    path = f"/v1/tournaments/{tournament}/rankings"
    await front.join(tournament, 42)
    for limit in ("", "?limit=10"):
        assert (await front.call("GET", path + limit)).json()["total"] == 0
    await front.submit(tournament, 42, {"event_id": "a", "score": 5})
    assert (await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())).status_code == 200
    for limit in ("", "?limit=10"):
        assert (await front.call("GET", path + limit)).json()["total"] == 1


async def test_what_was_asked_for_before_a_command_is_not_kept_after_it(
    front: Front, reads: Reads, clock: Clock
) -> None:
    tournament = await front.create()
    known = await reads.find(tournament)
    reads.invalidate(tournament)
    front.palio.owners.delay_s = 0.02
    before = asyncio.create_task(reads.view(known))
    await asyncio.sleep(0.005)
    reads.invalidate(tournament)
    assert (await before).found
    assert reads.cached_view(tournament, None, clock()) is None


async def test_the_cache_is_bounded_by_entries_and_by_bytes(front: Front, clock: Clock) -> None:
    tournaments = [await front.create() for _ in range(5)]
    few = make(front, clock, view_cache_entries=3)
    for tournament in (*tournaments[:3], tournaments[0], *tournaments[3:4]):
        await few.view(await few.find(tournament))
        few.cached_view(tournament, None, clock())
    assert list(few._cache) == [tournaments[2], tournaments[0], tournaments[3]]
    small = make(front, clock, view_cache_bytes=3000)
    for tournament in tournaments * 2:
        await small.find(tournament)
        await small.view(await small.find(tournament))
        assert small._bytes <= 3000
    held = sum(len(entry.reply.body) + 600 for entry in small._cache.values())
    assert small._bytes == held > 0


async def test_known_tournaments_are_bounded(front: Front, clock: Clock) -> None:
    reads = make(front, clock, known_entries=2)
    tournaments = [await front.create() for _ in range(3)]
    for tournament in tournaments:
        await reads.find(tournament)
    assert [reads.known(tournament) is not None for tournament in tournaments] == [False, True, True]


async def test_an_entrypoints_encoded_response_lives_as_long_as_the_bytes(
    front: Front, reads: Reads, clock: Clock
) -> None:
    tournament = await front.create()
    known = await reads.find(tournament)
    await reads.view(known)

    def cached() -> CachedReply:
        entry = reads.cached_view(tournament, None, clock())
        assert entry is not None
        return entry

    cached().wire = b"HTTP/1.1 200 OK"
    clock.now += 1
    await reads.view(known)
    assert cached().wire == b"HTTP/1.1 200 OK"
    await front.join(tournament, 42)
    clock.now += 1
    await reads.view(known)
    assert cached().wire is None


@pytest.mark.parametrize("caller", [None, 42])
async def test_a_hidden_tournament_is_asked_for_as_an_unknown_one(front: Front, caller: int | None) -> None:
    hidden = await front.create(visibility="private")
    headers = {} if caller is None else front.token("player", caller)
    asked = []
    for tournament in (hidden, "77", hidden, "77"):  # known to this process the second time
        front.palio.owners.calls.clear()
        assert (await front.call("GET", f"/v1/tournaments/{tournament}", headers)).status_code == 404
        asked.append(dict(front.palio.owners.calls))
    assert asked == [{"access": 1}] * 4
