"""What every Notices must keep, as `storage/ports/notices.py` states it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.notices.events import CHANNELS, NOTICE_KIND
from actors.domain.notices.settings import DEFAULTS, NotificationSettings, PushKeys, PushSubscription
from storage.ports import NoticeJob, NoticeRetry, Notices, OutboxRow, Records
from storage.records.mysql.engine import mysql_engine, prepare
from storage.records.mysql.sharded import ShardedRecords
from storage.records.seal import SettingsSeal
from storage.records.sql.database import SqlRecords
from storage.records.sql.notices import SqlNotices
from tests.contract.conftest import PARTITIONS
from tests.contract.test_records import BIG, checkpoint, of_partition, participant, save, tournament
from tests.support.memory_notices import MemoryNotices
from tests.support.memory_records import MemoryRecords
from tests.support.servers_mysql import RunningMysql

SEAL = SettingsSeal([b"a secret of some thirty-two bytes"])
ANN = NotificationSettings(
    language="de",
    channels=("live", "email", "push", "webhook"),
    opt_out=("started",),
    overtaken=True,
    email="ann@example.org",
    push_subscriptions=(PushSubscription("https://push.example/1", PushKeys("p", "a")),),
    webhook_url="https://ann.example/hook",
)
QUIET = NotificationSettings(channels=())
Stores = tuple[Records, Notices]


@pytest.fixture(params=["sqlite", "memory", "mysql", "mysql-sharded"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    """Empty records, and the notices over them."""
    opened: Records
    notices: Notices
    if request.param == "sqlite":
        opened = sqlite = await SqlRecords.open(tmp_path / "records.db")
        notices = SqlNotices(sqlite, SEAL)
    elif request.param == "memory":
        opened = memory = MemoryRecords()
        notices = MemoryNotices(memory)
    else:
        servers: RunningMysql = request.getfixturevalue("mysql_servers")
        options = servers.options(shards=1 if request.param == "mysql" else 2)
        servers.empty(options)
        if request.param == "mysql":
            primary = options.shards[0].primary
            await prepare(options, primary)
            opened = one = SqlRecords(mysql_engine(options, primary), timeout_ms=options.timeout_ms)
            notices = SqlNotices(one, SEAL)
        else:
            opened = sharded = await ShardedRecords.open(options, PARTITIONS)
            notices = SqlNotices(sharded, SEAL)
    yield opened, notices
    await opened.close()


@pytest.fixture
def records(stores: Stores) -> Records:
    return stores[0]


@pytest.fixture
def notices(stores: Stores) -> Notices:
    return stores[1]


async def test_settings_come_back_as_they_were_put(notices: Notices) -> None:
    assert await notices.settings_of([1, BIG]) == {}
    assert await notices.put_settings(BIG, ANN, 0)
    assert await notices.put_settings(1, QUIET, 0)
    found = await notices.settings_of([1, 2, BIG])
    assert {user: (each.version, each.settings) for user, each in found.items()} == {1: (1, QUIET), BIG: (1, ANN)}
    assert set(await notices.settings_of(range(1, 1500))) == {1}


async def test_settings_are_replaced_only_from_what_was_read(notices: Notices) -> None:
    assert not await notices.put_settings(7, ANN, 1)
    assert await notices.put_settings(7, ANN, 0)
    assert not await notices.put_settings(7, QUIET, 0)
    assert await notices.put_settings(7, QUIET, 1)
    assert not await notices.put_settings(7, ANN, 1)
    assert (await notices.settings_of([7]))[7] == (7, 2, QUIET)


async def test_of_two_who_put_at_once_one_is_told(notices: Notices) -> None:
    both = [NotificationSettings(email=f"{name}@example.org") for name in ("a", "b")]
    for after in range(3):
        told = await asyncio.gather(*(notices.put_settings(7, settings, after) for settings in both))
        assert sorted(told) == [False, True]
        stored = (await notices.settings_of([7]))[7]
        assert (stored.version, stored.settings) == (after + 1, both[told.index(True)])


async def test_settings_of_a_channel_and_of_who_wants_to_hear_of_being_overtaken(notices: Notices) -> None:
    for user, channels, overtaken in ((1, (), True), (2, ("email",), False), (3, ("push", "email"), True)):
        await notices.put_settings(user, NotificationSettings(channels=channels, overtaken=overtaken), 0)  # type: ignore[arg-type]
    assert [sorted(await notices.settings_of([1, 2, 3], channel)) for channel in CHANNELS] == [[], [2, 3], [3], []]
    assert [each.user_id for each in await notices.settings_after(0, 10)] == [1, 2, 3]
    assert [each.user_id for each in await notices.settings_after(1, 1)] == [2]
    assert [each.user_id for each in await notices.settings_after(0, 10, overtaken=True)] == [1, 3]


async def noted(records: Records, number: int, *offsets: int) -> list[OutboxRow]:
    effects = [OutboxRow(number, offset, n, NOTICE_KIND, b"{}") for offset in offsets for n in (0, 1)]
    others = [OutboxRow(number, offsets[0], 7, "finished", b"{}")]
    await save(records, checkpoint(tournament(number, offsets[-1]), outbox=[*effects, *others]))
    return effects


async def test_an_event_leaves_the_outbox_with_its_jobs_made(records: Records, notices: Notices) -> None:
    first, second = of_partition(1)[0], of_partition(4)[0]
    effects = sorted([*await noted(records, first, 3, 9), *await noted(records, second, 5)])
    assert await notices.noted(100) == effects
    assert await notices.noted(3) == effects[:3]
    for _ in range(2):  # who is killed in between does it again
        await notices.begin(effects[0].tournament_id, "started-3-0", b"{}", CHANNELS, 50, effects[0])
    assert await notices.noted(100) == effects[1:]
    assert {row.kind for row in await records.outbox(100, first)} == {NOTICE_KIND, "finished"}
    for channel in CHANNELS:
        wanted = NoticeJob(effects[0].tournament_id, "started-3-0", channel, b"{}", 0, 50, 0, None, 0, 0)
        assert await notices.open_jobs(channel, 10) == [wanted]


async def made(records: Records, notices: Notices, number: int = 1, key: str = "k", now_ms: int = 10) -> NoticeJob:
    if await records.tournament(number) is None:
        await save(records, checkpoint(tournament(number)))
    await notices.begin(number, key, b"payload", CHANNELS, now_ms)
    return next(job for job in await notices.open_jobs("email", 100) if (job.tournament_id, job.key) == (number, key))


async def test_a_cursor_moves_with_its_retries_and_only_from_what_was_read(records: Records, notices: Notices) -> None:
    job = await made(records, notices)
    moved = job._replace(cursor=50, worked_ms=20, sent=3, failed=1)
    retry = NoticeRetry(1, "k", "email", 40, b"payload", 1, 1000)
    assert await notices.advance(job, moved, [retry])
    assert not await notices.advance(job, moved._replace(cursor=60), [retry._replace(user_id=41)])
    assert await notices.open_jobs("email", 10) == [moved]
    assert await notices.due_retries("email", 999, 10) == []
    assert await notices.due_retries("email", 1000, 10) == [retry]
    assert await notices.due_retries("push", 1000, 10) == []
    done = moved._replace(cursor=60, worked_ms=30, done_ms=30)
    assert await notices.advance(moved, done, [])
    assert not await notices.advance(done, done._replace(cursor=70), [])
    assert await notices.open_jobs("email", 10) == []
    assert len(await notices.open_jobs("push", 10)) == 1
    await notices.begin(1, "k", b"payload", CHANNELS, 99)  # known, and done
    assert await notices.open_jobs("email", 10) == []


async def test_jobs_take_turns(records: Records, notices: Notices) -> None:
    numbers = [of_partition(partition)[0] for partition in range(3)]
    for made_ms, number in enumerate(numbers):
        await made(records, notices, number, now_ms=made_ms + 1)
    seen: list[int] = []
    for worked_ms in range(100, 106):
        job = (await notices.open_jobs("live", 10))[0]
        seen.append(job.tournament_id)
        assert await notices.advance(job, job._replace(cursor=job.cursor + 1, worked_ms=worked_ms), [])
    assert seen == numbers * 2
    assert {job.tournament_id for job, _ in await notices.progress(50)} == set(numbers)
    assert {job.tournament_id for job, _ in await notices.progress(50, numbers[1])} == {numbers[1]}


async def test_retries_end_and_are_counted_once(records: Records, notices: Notices) -> None:
    job = await made(records, notices)
    retries = [NoticeRetry(1, "k", "email", user, b"payload", 1, user) for user in (5, 3, 4)]
    await notices.advance(job, job._replace(cursor=9, done_ms=9, sent=6), retries)
    five, three, four = retries
    assert await notices.due_retries("email", 10, 2) == [three, four]
    again = three._replace(attempts=2, due_ms=500)
    await notices.settle(three, again, sent=False)
    assert await notices.due_retries("email", 10, 9) == [four, five]
    for _ in range(2):
        await notices.settle(four, None, sent=True)
        await notices.settle(five, None, sent=False)
    [(shown, waiting)] = [row for row in await notices.progress(10) if row[0].channel == "email"]
    assert (shown.sent, shown.failed, waiting) == (7, 1, 1)
    assert await notices.prune(10) == 0  # one waits
    await notices.settle(again, None, sent=True)
    assert await notices.prune(9) == 0
    assert await notices.prune(10) == 1
    assert [job.channel for job, _ in await notices.progress(10)] == ["live", "push", "webhook"]


async def test_recipients_take_part_and_had_joined(records: Records, notices: Notices) -> None:
    number = of_partition(3)[0]
    people = [participant(number, user, joined_ms=user * 10) for user in (5, 2, 4, 3, 9)]
    people[2] = people[2]._replace(active=False)
    await save(records, checkpoint(tournament(number), participants=people))
    assert [row.user_id for row in await notices.recipients(number, 0, 50, 10)] == [2, 3, 5]
    assert [row.user_id for row in await notices.recipients(number, 2, 1000, 2)] == [3, 5]
    assert await notices.recipient(number, 4) == people[2]
    assert await notices.recipient(number, 7) is None


async def test_what_starts_soon(records: Records, notices: Notices) -> None:
    rows = [
        tournament(number, status=status, starts_ms=starts_ms)
        for number, status, starts_ms in (
            (1, "scheduled", 30), (2, "scheduled", 10), (3, "running", 20), (4, "scheduled", 20), (5, "scheduled", None),
            (6, "scheduled", 31),
        )
    ]  # fmt: skip
    await save(records, checkpoint(*rows))
    assert [row.tournament_id for row in await notices.starting(10, 30, 10)] == [4, 1]
    assert [row.tournament_id for row in await notices.starting(9, 30, 1)] == [2]


async def test_nothing_is_left_of_a_user(records: Records, notices: Notices) -> None:
    jobs = [await made(records, notices, of_partition(partition)[0]) for partition in range(PARTITIONS)]
    for user in (7, 8):
        assert await notices.put_settings(user, ANN, 0)
    for job in jobs:
        retries = [NoticeRetry(job.tournament_id, "k", "email", user, b"payload", 1, 5) for user in (7, 8)]
        await notices.advance(job, job._replace(cursor=9), retries)
    for _ in range(2):
        await notices.forget_user(7)
    assert set(await notices.settings_of([7, 8])) == {8}
    assert [each.user_id for each in await notices.due_retries("email", 10, 100)] == [8] * PARTITIONS
    assert await notices.put_settings(7, QUIET, 0)


async def test_the_database_holds_no_address(tmp_path: Path) -> None:
    records = await SqlRecords.open(tmp_path / "records.db")
    await SqlNotices(records, SEAL).put_settings(7, ANN, 0)
    new = SettingsSeal([b"another secret, which is the newer", b"a secret of some thirty-two bytes"])
    assert (await SqlNotices(records, new).settings_of([7]))[7].settings == ANN
    assert await SqlNotices(records, new).put_settings(7, ANN, 1)  # written anew, so the old one is not needed any more
    alone = SettingsSeal([b"another secret, which is the newer"])
    assert (await SqlNotices(records, alone).settings_of([7]))[7].settings == ANN
    assert (await SqlNotices(records, SEAL).settings_of([7]))[7] == (7, 2, DEFAULTS)  # the old one does not open it
    await records.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"example" not in stored
