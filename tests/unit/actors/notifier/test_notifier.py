"""Events leave the outbox as jobs; what starts soon is told once for each start."""

from __future__ import annotations

import pytest

from actors.domain.notices.events import NOTICE_KIND, NoticeEvent, decode_event, encode_event
from actors.notifier.notifier import Notifier, NotifierConfig
from storage.channels.templates import Templates
from storage.ports import OutboxRow, RecordsUnavailableError
from tests.contract.test_records import checkpoint, save, tournament
from tests.support.notifying import START_MS, Bench, ToldChannel

RATES = {"live": 10.0, "email": 10.0}


def notifier(bench: Bench, soon_ms: int = 900_000) -> Notifier:
    channels = {"live": ToldChannel("live"), "email": ToldChannel("email")}
    config = NotifierConfig(soon_ms=soon_ms, keep_ms=5000, rates=RATES)  # type: ignore[arg-type]
    return Notifier(bench.notices, channels, Templates(), bench.clock, config)  # type: ignore[arg-type]


async def jobs(bench: Bench) -> list[tuple[str, str]]:
    return sorted((job.key, job.channel) for job, _ in await bench.notices.progress(100))


async def test_events_become_jobs_for_the_channels_that_there_are() -> None:
    bench = Bench()
    event = encode_event(NoticeEvent(event="started", tournament_id=1, name="x", at_ms=5))
    rows = [
        OutboxRow(1, 7, 100, NOTICE_KIND, event),
        OutboxRow(1, 9, 101, NOTICE_KIND, b"?"),
        OutboxRow(1, 9, 0, "finished", b""),
    ]
    await save(bench.records, checkpoint(tournament(1, 9), outbox=rows))
    notifying = notifier(bench)
    assert (await notifying.intake(), await notifying.intake(), notifying.taken) == (2, 0, 2)
    wanted = [(key, channel) for key in ("started-7-100", "unreadable-9-101") for channel in ("email", "live")]
    assert await jobs(bench) == wanted
    assert [row.kind for row in await bench.records.outbox(10)] == ["finished"]


async def test_a_shard_that_is_away_keeps_its_own_events_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    event = encode_event(NoticeEvent(event="started", tournament_id=1, name="x", at_ms=5))
    for number in (1, 2):
        await save(
            bench.records, checkpoint(tournament(number, 9), outbox=[OutboxRow(number, 9, 100, NOTICE_KIND, event)])
        )
    real = bench.notices.begin

    async def begin(tournament_id: int, *more: object) -> None:
        if tournament_id == 1:
            raise RecordsUnavailableError("away")
        await real(tournament_id, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.notices, "begin", begin)
    notifying = notifier(bench)
    await notifying.intake()
    assert {row.tournament_id for row in await bench.records.outbox(10)} == {1}
    monkeypatch.undo()
    await notifying.intake()
    assert await bench.records.outbox(10) == []


async def test_what_starts_soon_is_told_once_for_each_start() -> None:
    bench = Bench()
    await save(bench.records, checkpoint(tournament(1, 5, status="scheduled", starts_ms=START_MS + 900_001)))
    notifying = notifier(bench)
    assert await notifying.soon() == 0
    bench.clock.now_ms += 1
    for _ in range(3):
        await notifying.soon()
        await notifier(bench).soon()  # after a restart, too
    first = f"starting_soon-{START_MS + 900_001}"
    assert await jobs(bench) == [(first, "email"), (first, "live")]
    [(job, _), _] = await bench.notices.progress(10)
    event = decode_event(job.payload)
    assert (event.event, event.starts_ms, event.at_ms) == ("starting_soon", START_MS + 900_001, bench.clock.now_ms)
    await save(bench.records, checkpoint(tournament(1, 6, status="scheduled", starts_ms=START_MS + 60_000)))
    await notifying.soon()
    assert len(await jobs(bench)) == 4
    assert await notifier(bench, soon_ms=0).soon() == 0


async def test_what_was_told_long_ago_is_forgotten() -> None:
    bench = Bench("live")
    await bench.tournament(1, [1], wanting=[])
    await bench.event(1)
    await bench.run()
    bench.clock.now_ms += 5000
    assert await notifier(bench).prune() == 0
    bench.clock.now_ms += 1
    assert await notifier(bench).prune() == 1
