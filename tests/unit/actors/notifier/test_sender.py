"""One channel: everyone is told, nobody is lost, nobody waits for another, a server that is away is left alone."""

from __future__ import annotations

import pytest

from actors.domain.notices.retries import MAX_ATTEMPTS
from actors.domain.notices.settings import NotificationSettings
from actors.notifier.sender import LETTERS
from storage.ports import SENT, Delivery
from tests.support.notifying import Bench

LATER, REFUSED = Delivery("later", "status_5xx"), Delivery("refused", "gone")
AWAY = Delivery("unavailable", "no_connection")


def keys(number: int, *users: int) -> list[str]:
    return [f"{number}.ended-1-100.{user}" for user in users]


async def test_all_who_want_it_are_told_once_with_their_rank() -> None:
    bench = Bench()
    users = range(1, 1301)
    await bench.tournament(1, users, wanting=[user for user in users if user % 2])
    await bench.event(1)
    await bench.run()
    assert bench.channel.sent == keys(1, *(user for user in users if user % 2))
    assert max(bench.channel.batches) == LETTERS[1]
    [(job, waiting)] = await bench.notices.progress(10)
    assert (job.sent, job.failed, waiting, job.done_ms is not None) == (650, 0, 0, True)


async def test_live_is_for_those_who_set_nothing_too() -> None:
    bench = Bench("live")
    await bench.tournament(1, [1, 2, 3], wanting=[2])  # who uses webhooks alone
    await bench.notices.put_settings(3, NotificationSettings(opt_out=("ended",)), 0)
    await bench.event(1)
    await bench.run()
    assert bench.channel.sent == keys(1, 1)


async def test_one_user_may_be_meant_who_takes_no_part() -> None:
    bench = Bench("live")
    await bench.tournament(1, [1, 2], wanting=[])
    for user in (2, 9):
        await bench.event(1, f"won-{user}", user_id=user)
    await bench.run()
    assert sorted(bench.channel.sent) == ["1.won-2.2", "1.won-9.9"]


async def test_tournaments_take_turns() -> None:
    """The one with many recipients does not delay the others."""
    bench = Bench(rate=50)
    await bench.tournament(1, range(1, 1001))
    await bench.event(1)
    for number in range(2, 6):
        await bench.tournament(number, [5000 + number])
        await bench.event(number)
    await bench.sender.round()
    assert {key.partition(".")[0] for key in bench.channel.sent} == {"1", "2", "3", "4", "5"}
    assert len([key for key in bench.channel.sent if key.startswith("1.")]) == 50


async def test_the_rate_is_kept() -> None:
    bench = Bench(rate=50)
    await bench.tournament(1, range(1, 501))
    await bench.event(1)
    before_ms = bench.clock.now_ms
    await bench.run()
    assert len(bench.channel.sent) == 500
    assert 8_900 <= bench.clock.now_ms - before_ms <= 10_000


@pytest.mark.parametrize("times", [1, 3])
async def test_who_fails_is_tried_again_after_a_pause_and_nobody_waits(times: int) -> None:
    bench = Bench()
    await bench.tournament(1, range(1, 11))
    bench.channel.judge = lambda user, tries: LATER if user % 2 and tries <= times else SENT
    await bench.event(1)
    await bench.run()
    assert bench.channel.sent == keys(1, 2, 4, 6, 8, 10)
    for attempt in range(times):
        bench.clock.now_ms += 10_000 * 3**attempt - 1
        await bench.run()
        assert len(bench.channel.sent) == 5
        bench.clock.now_ms += 1
        await bench.run()
    assert sorted(bench.channel.sent) == sorted(keys(1, *range(1, 11)))
    [(job, waiting)] = await bench.notices.progress(10)
    assert (job.sent, job.failed, waiting) == (10, 0, 0)


async def test_who_always_fails_is_given_up_and_counted() -> None:
    bench = Bench()
    await bench.tournament(1, [1, 2])
    bench.channel.judge = lambda user, _tries: LATER if user == 1 else REFUSED
    await bench.event(1)
    for _ in range(40):
        await bench.run()
        bench.clock.now_ms += 4 * 3600_000
    [(job, waiting)] = await bench.notices.progress(10)
    assert (job.sent, job.failed, waiting) == (0, 2, 0)
    assert bench.channel.tries == {keys(1, 1)[0]: MAX_ATTEMPTS, keys(1, 2)[0]: 1}
    assert bench.sender.outcomes["refused", "given_up"] == 1
    assert bench.sender.outcomes["refused", "gone"] == 1


async def test_a_server_that_is_away_loses_nothing_and_is_left_alone() -> None:
    bench = Bench()
    await bench.tournament(1, range(1, 301))
    away = True
    bench.channel.judge = lambda _user, _tries: AWAY if away else SENT
    await bench.event(1)
    asked = []
    for _ in range(600):  # ten minutes
        await bench.sender.round()
        bench.clock.now_ms += 1000
        asked.append(len(bench.channel.batches))
    assert asked[-1] < 30  # 1 s doubling to a minute
    assert bench.channel.batches[1:] == [1] * (len(bench.channel.batches) - 1)
    assert bench.sender.failures == len(bench.channel.batches)
    assert bench.channel.sent == []
    away = False
    bench.clock.now_ms += 60_000
    await bench.run()
    assert sorted(bench.channel.sent) == sorted(keys(1, *range(1, 301)))
    assert bench.sender.failures == 0
    [(job, waiting)] = await bench.notices.progress(10)
    assert (job.sent, job.failed, waiting) == (300, 0, 0)


async def test_kill_9_between_any_two_steps_loses_nobody() -> None:
    bench = Bench(rate=20)
    await bench.tournament(1, range(1, 101))
    bench.channel.judge = lambda user, tries: LATER if user % 3 == 0 and tries == 1 else SENT
    await bench.event(1)
    real = bench.notices.advance
    killed = 0

    async def kill(*_: object) -> bool:
        raise KeyboardInterrupt

    while True:
        for last_step in (False, True):  # before a page is noted, and after it
            bench.notices.advance = real if last_step else kill  # type: ignore[method-assign,assignment]
            try:
                busy = await bench.make_sender().round()
            except KeyboardInterrupt:
                killed += 1
                busy = True
        bench.clock.now_ms += 1000
        if not busy:
            break
    assert killed >= 5
    assert set(bench.channel.sent) == set(keys(1, *range(1, 101)))


async def test_of_two_at_work_one_moves_on() -> None:
    bench = Bench(rate=10)
    await bench.tournament(1, range(1, 41))
    await bench.event(1)
    twin = bench.make_sender()
    await bench.run()
    await bench.run(twin)
    [(job, _)] = await bench.notices.progress(10)
    assert job.sent == 40
    [stale] = [job._replace(cursor=10, done_ms=None)]
    assert not await bench.notices.advance(stale, stale._replace(cursor=20), [])


async def test_addresses_that_are_gone_are_forgotten() -> None:
    bench = Bench()
    await bench.tournament(1, [1, 2])
    bench.channel.judge = lambda user, _tries: Delivery("refused", "gone", (f"https://example.org/{user}",))
    await bench.event(1)
    await bench.run()
    for user in (1, 2):
        stored = (await bench.notices.settings_of([user]))[user]
        assert (stored.version, stored.settings.webhook_url) == (2, None)


async def test_who_wants_it_no_more_is_not_tried_again() -> None:
    bench = Bench()
    await bench.tournament(1, [1])
    bench.channel.judge = lambda _user, _tries: LATER
    await bench.event(1)
    await bench.run()
    await bench.notices.put_settings(1, NotificationSettings(), 1)
    bench.clock.now_ms += 10_000
    await bench.run()
    assert bench.channel.tries == {keys(1, 1)[0]: 1}
    [(job, waiting)] = await bench.notices.progress(10)
    assert (job.failed, waiting) == (1, 0)


async def test_an_event_that_cannot_be_read_ends() -> None:
    bench = Bench()
    await bench.tournament(1, [1])
    await bench.notices.begin(1, "broken", b"{", ["webhook"], 5)
    await bench.run()
    [(job, _)] = await bench.notices.progress(10)
    assert (job.failed, job.done_ms is not None, bench.channel.batches) == (1, True, [])
