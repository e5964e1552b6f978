"""One tournament of the demo from its create to the comparison of its final table."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from actors.domain.values import rfc3339
from scripts.demo.client import DemoClient, DemoError
from scripts.demo.data import RACE, Contest, Entry, Result, Row, table
from scripts.demo.show import Counts, Show
from scripts.demo.state import DemoRun, Held
from scripts.demo.told import archive_faults, report_faults, series_faults

TICK_S: Final = 0.25  # real time between two bursts of a tournament
SCORES_BURST: Final = 200
JOINS_BURST: Final = 40
LEAD_S: Final = 5.0  # demo time from the create to the first result: people join before the start
SPARE_S: Final = 4.0  # real time left before the end at which it is postponed if results are missing
STATUS_WAIT_S: Final = 60.0
SERIES_WAIT_S: Final = 300.0  # until a finished tournament is in the series: they are brought there without haste
SERIES_AGAIN_S: Final = 3.0
OVER: Final = frozenset({"finished", "cancelled"})


class Timing(NamedTuple):
    """When a contest happens, in demo time: create at `begin_s`, entries over `entries_s`, results over `results_s` from LEAD_S on.

    The planned end comes `cutoff_s` of real time after the last result; `end_early`: it is ended once everything is in.
    """

    begin_s: float
    entries_s: float
    results_s: float
    cutoff_s: float
    end_early: bool


class Clock:
    """Demo time: `speed` seconds of it a second, going on from `start_s`."""

    def __init__(self, speed: float, start_s: float = 0.0) -> None:
        self.speed = speed
        self._zero = time.monotonic() - start_s / speed

    def now_s(self) -> float:
        """Demo time now."""
        return (time.monotonic() - self._zero) * self.speed

    async def until(self, moment_s: float) -> None:
        """Sleep until a moment of demo time."""
        await asyncio.sleep(max(0.0, (moment_s - self.now_s()) / self.speed))


class Verdict(NamedTuple):
    """How a final table compares with the data.

    `outcome`: `exact`, `cut` (it ended before all was in, and equals the results until then) or `differs`.
    """

    contest: Contest
    outcome: str
    rows: int
    detail: str

    def __str__(self) -> str:
        words = {
            "exact": "equals the data",
            "cut": "its end came before all was sent: equals what was in",
            "differs": "DIFFERS from the data",
        }
        return f"{self.contest.name}: finished, {self.rows} rows, {words[self.outcome]}{self.detail}"


def compare(contest: Contest, rows: Sequence[Row]) -> Verdict:
    """Compare a final table with the one computed from the data. Guests (users not in the data) are left out, and said."""
    known = {entry.user_id for entry in contest.entries}
    own = [row for row in rows if row.user_id in known]
    guests = len(rows) - len(own)
    detail = f" ({guests} guests beside)" if guests else ""

    def same(results: Sequence[Result]) -> bool:
        expected = table(results, contest.order, contest.ties)
        if guests:  # they shift the ranks of the others
            return [row[1:] for row in own] == [row[1:] for row in expected]
        return own == expected

    if same(contest.results):
        return Verdict(contest, "exact", len(rows), detail)
    scored: set[int] = set()
    for upto, result in enumerate(contest.results):  # it may equal what had come until some moment
        if len(scored) == len(own) and same(contest.results[:upto]):
            return Verdict(contest, "cut", len(rows), f" ({upto} of {len(contest.results)} results counted){detail}")
        scored.add(result.user_id)
    expected = table(contest.results, contest.order, contest.ties)
    at = next((n for n, (a, b) in enumerate(zip(own, expected, strict=False)) if a != b), min(len(own), len(expected)))
    got, wanted = (str(tuple(side[at])) if at < len(side) else "nothing" for side in (own, expected))
    return Verdict(contest, "differs", len(rows), f": at row {at + 1} expected {wanted}, got {got}{detail}")


@dataclass
class Stage:
    """What all contests of a run share."""

    client: DemoClient
    clock: Clock
    run: DemoRun
    show: Show
    counts: Counts
    data_dir: Path | None
    places: asyncio.Semaphore
    """How many schools are under way at a time: when Palio is slow, the next ones begin later."""
    archive: bool
    """Whether there is an archive, whose files are compared, too."""

    def save(self) -> None:
        """Keep how far the run is."""
        self.run.clock_s = self.clock.now_s()
        self.run.save(self.data_dir)


class Play:
    """Plays one contest, new or begun in an earlier start.

    Bursts of a contest go one after another, so the log has its results in the data's order; results sent before are
    sent again and ignored as duplicates.
    """

    def __init__(self, contest: Contest, timing: Timing, stage: Stage) -> None:
        self._contest = contest
        self._timing = timing
        self._stage = stage
        self._joined: set[int] = set()
        self._sent = 0

    async def play(self) -> Verdict:
        """From its time on, to its end. Raises PalioError when Palio refuses or stays away, DemoError."""
        stage = self._stage
        await stage.clock.until(self._timing.begin_s)
        async with stage.places if self._contest.key != RACE else contextlib.nullcontext():
            stage.counts.running += 1
            held = stage.run.tournaments.get(self._contest.key)
            if held is None:
                held = await self._create()
            else:
                self._joined = {row.user_id for row in await stage.client.rows(held.id)}
                stage.counts.entries += len(self._joined)
            if not held.over:
                async with asyncio.TaskGroup() as both:
                    keeping_open = both.create_task(self._keep_open(held))
                    await self._send(held)
                    keeping_open.cancel()
                await self._finish(held)
            verdict = await self._compare(held)
            stage.counts.running -= 1
            stage.counts.over += 1
            held.over = True
            stage.save()
            stage.show.line(f"demo: {verdict}")
            return verdict

    async def _create(self) -> Held:
        contest, timing, stage = self._contest, self._timing, self._stage
        now_ms, begin_s = int(time.time() * 1000), stage.clock.now_s()
        last_s = (LEAD_S + timing.results_s) / stage.clock.speed
        ends_ms = now_ms + int((last_s + timing.cutoff_s) * 1000)
        spec = {
            "name": contest.name,
            "type": "scheduled",
            "starts_at": rfc3339(now_ms + int(0.8 * LEAD_S / stage.clock.speed * 1000)),
            "ends_at": rfc3339(ends_ms),
            "capacity": contest.capacity,
            "order": contest.order,
            "score_policy": "best",
            "ties": contest.ties,
            "metadata": contest.metadata,
            **contest.spec,
        }
        # The times are in the key: the same key with another body would be a conflict.
        tournament_id = await stage.client.create(f"demo-{stage.run.run}-{contest.key}-{now_ms}", spec)
        held = Held(tournament_id, begin_s, ends_ms)
        stage.run.tournaments[contest.key] = held
        stage.save()
        return held

    async def _send(self, held: Held) -> None:
        """All entries and results, each at its time; returns early when the tournament is over."""
        contest, stage = self._contest, self._stage
        waiting = deque(entry for entry in contest.entries if entry.user_id not in self._joined)
        started = False
        while self._sent < len(contest.results):
            elapsed_s = stage.clock.now_s() - held.begin_s
            if not await self._join(held, waiting, elapsed_s):
                return
            if elapsed_s >= LEAD_S:
                if not started and await self._status(held, {"running", *OVER}) in OVER:
                    return
                started = True
                due = self._due(elapsed_s - LEAD_S)
                if due:
                    await stage.client.score(held.id, due)
                    self._sent += len(due)
                    stage.counts.results += len(due)
                    stage.counts.runners += len(due) if contest.key == RACE else 0
            stage.show.refresh()
            await asyncio.sleep(TICK_S)

    async def _join(self, held: Held, waiting: deque[Entry], elapsed_s: float) -> bool:
        """Join who is due, at most a burst; False when nobody is taken any more."""
        burst: list[Entry] = []
        while waiting and len(burst) < JOINS_BURST and waiting[0].at * self._timing.entries_s <= elapsed_s:
            burst.append(waiting.popleft())
        client = self._stage.client
        taken = await asyncio.gather(*(client.join(held.id, entry.user_id, entry.name) for entry in burst))
        self._joined.update(entry.user_id for entry in burst)
        self._stage.counts.entries += len(burst)
        return all(taken)

    def _due(self, elapsed_s: float) -> list[Result]:
        """The next results, at most a burst, up to the first whose user has not joined yet."""
        due = []
        for result in self._contest.results[self._sent : self._sent + SCORES_BURST]:
            if result.at * self._timing.results_s > elapsed_s or result.user_id not in self._joined:
                break
            due.append(result)
        return due

    async def _keep_open(self, held: Held) -> None:
        """Beside the sending: postpone the end for as long as results are missing shortly before it."""
        stage, timing = self._stage, self._timing
        while True:
            left_s = held.ends_ms / 1000 - time.time()
            if left_s > SPARE_S:
                await asyncio.sleep(left_s - SPARE_S)
                continue
            last_s = held.begin_s + LEAD_S + timing.results_s  # of demo time
            remaining_s = max(0.0, (last_s - stage.clock.now_s()) / stage.clock.speed)
            ends_ms = int((time.time() + remaining_s + timing.cutoff_s) * 1000)
            if not await stage.client.postpone(held.id, rfc3339(ends_ms)):
                return  # it is over
            held.ends_ms = ends_ms
            stage.save()

    async def _finish(self, held: Held) -> None:
        if self._timing.end_early:
            await self._stage.client.end(held.id)
        else:
            await asyncio.sleep(max(0.0, held.ends_ms / 1000 - time.time()))
        status = await self._status(held, OVER)
        if status != "finished":
            raise DemoError(f"{self._contest.name}: expected it to finish, it is {status}")

    async def _status(self, held: Held, wanted: Collection[str]) -> str:
        """Wait until the status is one of `wanted`: at most until the planned end and a minute more."""
        deadline_ms = max(held.ends_ms, time.time() * 1000) + STATUS_WAIT_S * 1000
        while True:
            status = (await self._stage.client.view(held.id)).status
            if status in wanted:
                return status
            if time.time() * 1000 > deadline_ms:
                raise DemoError(
                    f"{self._contest.name}: expected it to be {' or '.join(sorted(wanted))}, it is still {status}"
                )
            self._stage.show.refresh()
            await asyncio.sleep(2 * TICK_S)

    async def _compare(self, held: Held) -> Verdict:
        """The verdict on the final table, and on the archive's file of it."""
        verdict = await self._compare_shown(held)
        if verdict.outcome != "exact" or not self._stage.archive:
            return verdict
        filed = await self._stage.client.archived(held.id)
        ranked = [
            Row(row.rank, row.user_id, row.score) for row in filed if row.rank is not None and row.score is not None
        ]
        archived = compare(self._contest, ranked)
        if archived.outcome != "exact":
            return archived._replace(outcome="differs", detail=f"{archived.detail} (in the archive)")
        known = {entry.user_id for entry in self._contest.entries}
        faults = archive_faults(self._contest, filed) if known == {row.user_id for row in filed} else []
        if faults:
            return verdict._replace(outcome="differs", detail=f": {faults[0]} (in the archive)")
        return verdict

    async def _compare_shown(self, held: Held) -> Verdict:
        """A read may be a second old, so one that does not fit is read again."""
        for _ in range(2):
            verdict = compare(self._contest, await self._stage.client.rows(held.id))
            if verdict.outcome == "exact":
                return verdict
            await asyncio.sleep(1.5)
        return compare(self._contest, await self._stage.client.rows(held.id))


async def check_analytics(contest: Contest, held: Held, stage: Stage) -> list[str] | None:
    """What analytics tell of a finished contest and does not equal the data; None: guests took part, of whom the data knows nothing.

    What is not in the series within SERIES_WAIT_S differs. Raises PalioError when Palio refuses or stays away, DemoError.
    """
    client = stage.client
    view = await client.view(held.id)
    if view.participants > len(contest.entries):
        return None
    if view.finished_at is None:
        return [f"expected it to be finished, it is {view.status}"]
    filed = await client.archived(held.id) if stage.archive else []
    deadline_s = time.monotonic() + SERIES_WAIT_S
    while True:
        report = await client.report(held.id)
        faults = report_faults(contest, report, filed)
        series = await client.series(held.id, view.created_at, view.finished_at)
        faults += series_faults(report, series)
        if not faults or time.monotonic() > deadline_s:
            return faults
        await asyncio.sleep(SERIES_AGAIN_S)
