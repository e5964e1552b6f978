"""The collector over stores in memory: what is in the series is what the tournaments came to, whatever was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from actors.analytics import collector as module
from actors.analytics.collector import Collector
from actors.domain.analytics.attempts import FIRST_N, KIND
from actors.domain.analytics.series import CREATED, FINISHED, FLOW, MEASUREMENTS, SCORES, TABLES, scores_of
from actors.domain.codec import encode_snapshot
from actors.domain.delivery import ControlItem
from actors.domain.messages import Disqualify
from actors.owner.checkpoint.rows import tournament_row
from storage.ports import (
    Checkpoint,
    OutboxRow,
    Point,
    RecordsUnavailableError,
    SeriesTooLargeError,
    SeriesUnavailableError,
    StoredSnapshot,
    Tags,
    WaitingTournament,
)
from tests.support.histories import TOURNAMENT
from tests.support.memory_attempts import MemoryAttempts
from tests.support.memory_ports import MemoryMetrics, MemoryRecords
from tests.unit.actors.domain.analytics.test_timeline import Contest

FOREVER = 1 << 50


class Killed(BaseException):
    """The process is gone."""


class Bench:
    """A contest whose owner checkpoints when told to, and the collector that follows it."""

    def __init__(self, **fields: Any) -> None:
        self.contest = Contest(**{"max_attempts": 2, **fields})
        self.records = MemoryRecords()
        self.blocks = MemoryAttempts(
            self.records.attempts(), lambda: {TOURNAMENT: self.contest.offset}, self.records.snapshots_at_hand
        )
        self.series = MemoryMetrics(100_000)

    async def checkpoint(self) -> None:
        state = self.contest.now
        effects = [
            OutboxRow(TOURNAMENT, state.offset, n, KIND, block)
            for n, block in enumerate(self.contest.attempts.blocks(), FIRST_N)
        ]
        snapshot = StoredSnapshot(TOURNAMENT, state.partition, state.offset, encode_snapshot(state))
        await self.records.save(Checkpoint([tournament_row(state, 0)], [snapshot], [], effects, []))
        self.contest.attempts.forget(state.offset)

    def collector(self) -> Collector:
        return Collector(self.records, self.blocks, self.series)

    async def stored(self, measurement: str) -> list[Point]:
        return await self.series.read(measurement, -FOREVER, FOREVER)

    async def everything(self) -> list[Point]:
        return [point for name in MEASUREMENTS for point in await self.stored(name)]


async def played(bench: Bench, collect: Any = None) -> None:
    """Ten minutes: eight players, two attempts each, a checkpoint each minute."""
    contest = bench.contest
    contest.join(1_000, *range(1, 9))
    for minute in range(10):
        contest.score(minute * 60_000 + 2_000, minute % 8 + 1, 100 * minute)
        contest.score(minute * 60_000 + 2_000, (minute + 3) % 8 + 1, 7 * minute)
        await bench.checkpoint()
        if collect is not None:
            await collect()
    contest.end()
    await bench.checkpoint()
    if collect is not None:
        await collect()


async def test_the_series_say_what_the_tournament_came_to() -> None:
    bench = Bench()
    collector = bench.collector()
    await played(bench, collector.round)
    state = bench.contest.now
    (final,) = await bench.stored(FINISHED)
    assert final.time_ms == state.finished_ms
    assert final.tags == {"tournament": str(TOURNAMENT), "type": "scheduled"}
    scores = sorted(state.ranking.score(state.members.users.slot(user)) or 0 for user in range(1, 9))
    assert (final.fields["joined"], final.fields["scored"], final.fields["total"]) == (8, 8, sum(scores))
    assert final.fields["submissions"] == sum(state.members.attempts)
    flow = await bench.stored(FLOW)
    assert sum(int(point.fields["submissions"]) for point in flow) == sum(state.members.attempts)
    assert sum(int(point.fields["joins"]) for point in flow) == 8
    (parts,) = await bench.stored(SCORES)
    assert scores_of(str(parts.fields["values"])).tolist() == scores
    assert [point.time_ms // 60_000 for point in await bench.stored(TABLES)] == list(range(8)), (
        "then all attempts were used"
    )
    (created,) = await bench.stored(CREATED)
    assert (created.fields["created"], created.fields["finished"], created.fields["joined"]) == (1, 1, 8)
    assert await collector.round() == 0
    assert (collector.collected, collector.waiting) == (11, 0)


async def test_however_often_it_is_collected_the_series_are_the_same() -> None:
    one, other = Bench(), Bench()
    await played(one)
    await one.collector().round()
    await played(other, other.collector().round)
    assert await one.everything() == await other.everything()
    assert len(await other.blocks.blocks(TOURNAMENT)) == 1, "put together once it is over"


@pytest.mark.parametrize("cut", ["read", "write", "flush", "keep"])
async def test_a_collector_that_is_killed_anywhere_loses_and_doubles_nothing(
    cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, bench = Bench(), Bench()
    await played(whole, whole.collector().round)
    calls = 0

    async def collect() -> None:
        nonlocal calls
        calls += 1
        with monkeypatch.context() as patched:
            if calls % 2:
                patch_to_die(patched, bench, cut)
                with pytest.raises(Killed):
                    await bench.collector().round()
        if calls % 3:
            await bench.collector().round()  # another process

    await played(bench, collect)
    await bench.collector().round()
    assert await bench.everything() == await whole.everything()


def patch_to_die(patched: pytest.MonkeyPatch, bench: Bench, cut: str) -> None:
    async def die(*_: Any, **__: Any) -> None:
        raise Killed

    def write_half(points: Sequence[Point]) -> None:
        bench.series.points.extend(points[: len(points) // 2])
        raise Killed

    if cut == "read":
        patched.setattr(bench.blocks, "stored", die)
    elif cut == "write":
        patched.setattr(bench.series, "write", write_half)
    elif cut == "flush":
        patched.setattr(bench.series, "flush", die)
    else:
        patched.setattr(bench.blocks, "keep", die)


async def test_what_changes_after_the_end_changes_the_series() -> None:
    bench = Bench()
    await played(bench, bench.collector().round)
    before = (await bench.stored(FINISHED))[0].fields
    disqualified = Disqualify(command_id="d", user_id="1", reason="x")
    bench.contest.feed(ControlItem(bench.contest.offset + 1, 3_700_000, TOURNAMENT, disqualified))
    await bench.checkpoint()
    await bench.collector().round()
    (after,) = await bench.stored(FINISHED)
    assert after.fields["scored"] == int(before["scored"]) - 1
    fresh = Bench()
    fresh.records, fresh.blocks, fresh.contest = bench.records, bench.blocks, bench.contest
    await fresh.blocks.rebuild()
    await fresh.collector().round()
    assert said(await bench.everything()) == said(await fresh.everything())


async def test_points_that_are_not_true_any_more_say_nothing() -> None:
    bench = Bench()
    tags = {"tournament": str(TOURNAMENT), "type": "scheduled"}
    bench.series.points.append(Point(FINISHED, tags, {"joined": 9, "scored": 9, "finished": 1}, 1_000))
    bench.series.points.append(Point(SCORES, tags | {"part": "7"}, {"count": 9, "values": "x"}, 1_000))
    await played(bench, bench.collector().round)
    old = [point for point in await bench.everything() if point.time_ms == 1_000]
    assert [point.fields for point in old] == [{"joined": 0, "scored": 0, "finished": 0}, {"count": 0, "values": "x"}]


async def test_made_anew_they_are_the_same_though_the_store_was_emptied() -> None:
    bench = Bench()
    await played(bench, bench.collector().round)
    before = await bench.everything()
    bench.series.points.clear()
    assert await bench.blocks.rebuild() == 1
    assert await bench.blocks.rebuild() == 1, "again while it waits changes nothing"
    assert await bench.collector().round() == 1
    assert await bench.everything() == before
    assert await bench.blocks.counts() == (0, 1)


async def test_while_the_series_are_away_the_tournament_waits() -> None:
    bench = Bench()
    collector = bench.collector()
    bench.contest.join(1, 1)
    await bench.checkpoint()

    class Away(MemoryMetrics):
        async def flush(self) -> None:
            """Nobody takes anything."""

    collector._series = Away(100)
    for _ in range(3):
        with pytest.raises(SeriesUnavailableError):
            await collector.round()
    assert collector._series.waiting < 10, "nothing more is added while something waits"
    assert await bench.blocks.counts() == (1, 1)
    collector._series = bench.series
    assert await collector.round() == 1


async def test_a_tournament_that_cannot_be_read_holds_up_no_other() -> None:
    bench = Bench()
    await played(bench)
    broken = StoredSnapshot(1, 0, 5, b"no snapshot")
    row = tournament_row(bench.contest.now, 0)._replace(tournament_id=1, partition=0, offset=5)
    effect = OutboxRow(1, 5, FIRST_N, KIND, b"no block")
    await bench.records.save(Checkpoint([row], [broken], [], [effect], []))
    collector = bench.collector()
    assert await collector.round() == 1
    assert collector.failures == 1
    assert await bench.stored(FINISHED)


async def test_a_shard_that_is_away_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    await played(bench)
    snapshots = bench.records.snapshots

    async def of_shards(number: int) -> list[StoredSnapshot]:
        if number == 1:
            raise RecordsUnavailableError("away")
        return await snapshots(number)

    bench.blocks.tell(OutboxRow(1, 5, FIRST_N, KIND, b""))
    monkeypatch.setattr(bench.records, "snapshots", of_shards)
    assert await bench.collector().round() == 1
    assert await bench.blocks.counts() == (1, 1)


async def test_many_points_go_in_parts_and_known_ones_are_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POINTS_A_FLUSH", 3)
    monkeypatch.setattr(module, "MERGE_BLOCKS", 3)
    bench = Bench()
    collector = bench.collector()
    written: list[int] = []

    async def collect() -> None:
        before = len(bench.series.points)
        await collector.round()
        written.append(len(bench.series.points) - before)
        assert len(await bench.blocks.blocks(TOURNAMENT)) <= 4

    await played(bench, collect)
    assert max(written[:-1]) <= 5, "the last minute and what is new"
    assert written[-1] > 15, "all of it at the end"


async def test_what_is_too_much_for_one_read_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    await played(bench, bench.collector().round)
    before = await bench.everything()
    bench.series.points.append(Point(FLOW, before[0].tags, {"submissions": 5, "joins": 0}, 50 * 60_000))
    whole, reads = bench.series.read, 0

    async def three_at_most(name: str, from_ms: int, until_ms: int, tags: Tags | None = None) -> list[Point]:
        nonlocal reads
        reads += 1
        found = await whole(name, from_ms, until_ms, tags)
        if len(found) > 3:
            raise SeriesTooLargeError("more than 3")
        return found

    await bench.blocks.rebuild()
    with monkeypatch.context() as patched:
        patched.setattr(bench.series, "read", three_at_most)
        assert await bench.collector().round() == 1
    assert reads > len(MEASUREMENTS)
    assert said(await bench.everything()) == said(before), "also what had not been true was found"


def test_small_tournaments_go_together_and_large_ones_alone() -> None:
    page = [WaitingTournament(n, 1, False, size) for n, size in enumerate([900, 900, 900, 5_000, 10, 1_990, 1])]
    groups = [[each.participants for each in group] for group in module._groups(page)]
    assert groups == [[900, 900], [900], [5_000], [10, 1_990], [1]]


@pytest.mark.parametrize(("anew", "spread"), [(False, True), (True, False)])
async def test_it_takes_its_share_of_a_core_but_for_what_is_made_anew(
    anew: bool, spread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    await played(bench)
    if anew:
        await bench.blocks.rebuild()
    cpu_s, slept = iter(range(0, 1_000, 2)), []

    async def sleep(pause_s: float) -> None:
        slept.append(pause_s)

    monkeypatch.setattr("actors.analytics.collector.time.process_time", lambda: float(next(cpu_s)))
    monkeypatch.setattr("actors.analytics.collector.asyncio.sleep", sleep)
    collector = Collector(bench.records, bench.blocks, bench.series, 0.1)
    assert await collector.round() == 1
    assert slept == ([pytest.approx(18.0)] if spread else []), "2 s of a tenth of a core, of 20"


def said(points: Sequence[Point]) -> list[Point]:
    """Points that say something."""
    return [point for point in points if any(isinstance(value, int) and value for value in point.fields.values())]
