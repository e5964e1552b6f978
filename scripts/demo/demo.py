"""The demo: real exam and race results replayed through the public API, then every final table compared with the data."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console

from scripts.client.palio_client import PalioError
from scripts.demo.client import DemoClient, DemoError
from scripts.demo.contest import Clock, Play, Stage, Timing, Verdict, check_analytics
from scripts.demo.data import RACE, Contest, first_runners, race, schools
from scripts.demo.evening import ON_BOARDS, Check, Evening, Runner
from scripts.demo.show import Counts, Show
from scripts.demo.state import DemoRun, open_run

T = TypeVar("T")
TokenOf = Callable[[int], str]
# Demo time. A dozen schools at a time; the first ends after half a minute, the last a little after the race.
SCHOOL_GAP_S: Final = 2.9
SCHOOL_ENTRIES_S: Final = 3.0
SCHOOL_RESULTS_S: Final = 22.0
SCHOOL_CUTOFF_S: Final = 6.0
SCHOOLS_AT_ONCE: Final = 16
RACE_S: Final = 200.0
RACE_CUTOFF_S: Final = 120.0


@dataclass
class Analysed:
    """Of how many tournaments analytics equal the data, how many were left out because guests took part, and what differs."""

    equal: int = 0
    guests: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        left_out = f"; {self.guests} left out, where guests took part" if self.guests else ""
        return f"analytics of {self.equal} of {self.equal + len(self.faults)} tournaments equal those computed directly from the data{left_out}"


def plan() -> list[tuple[Contest, Timing]]:
    """The race, then the schools in waves; about 60 joins and 80 scores a second at speed 1, for almost four minutes."""
    whole = Timing(0.0, RACE_S, RACE_S, RACE_CUTOFF_S, end_early=True)
    return [
        (race(), whole),
        *(
            (school, Timing(n * SCHOOL_GAP_S, SCHOOL_ENTRIES_S, SCHOOL_RESULTS_S, SCHOOL_CUTOFF_S, end_early=False))
            for n, school in enumerate(schools())
        ),
    ]


def run_demo(
    url: str,
    token: str,
    *,
    token_of: TokenOf | None = None,
    speed: float = 1.0,
    data_dir: Path | None = None,
    archive: bool = False,
    operator: str | None = None,
) -> int:
    """Play the demo against the api at `url` with a service's token; the exit status. `token_of` makes the tokens of players, of whom one
    hears a notice; without it nobody does. `archive`: the archive's files are compared, too. `operator`: an operator's token, with which
    analytics are compared; without it they are not.

    0: every final table, file, number, prize and notice equals the data (or was interrupted by a signal, and goes on with the next start);
    1: something differs, or Palio refused or stayed away. A run that this `data_dir` holds unfinished is gone on with; each other run has
    new tournaments.
    """
    console = Console(highlight=False)
    try:
        contests = plan()
        run = open_run(data_dir, len(contests))
        client = DemoClient(url, token, operator=operator)
        verdicts = asyncio.run(
            _until_signal(
                _play(
                    contests,
                    run,
                    client,
                    token_of,
                    speed,
                    data_dir,
                    console,
                    archive=archive,
                    analytics=operator is not None,
                )
            )
        )
    except (ExceptionGroup, DemoError, PalioError, ValueError, OSError) as error:
        console.print(f"demo: {_first(error)}", markup=False, soft_wrap=True)
        return 1
    if verdicts is None:
        kept = "; it goes on with the next start" if data_dir is not None else ""
        console.print(f"demo: interrupted{kept}", markup=False)
        return 0
    return _report(*verdicts, resumed=run.resumed, archive=archive, console=console)


async def _until_signal(playing: Coroutine[None, None, T]) -> T | None:
    """What it comes to; None after SIGINT or SIGTERM."""
    task = asyncio.ensure_future(playing)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return None


async def _play(
    contests: Sequence[tuple[Contest, Timing]],
    run: DemoRun,
    client: DemoClient,
    token_of: TokenOf | None,
    speed: float,
    data_dir: Path | None,
    console: Console,
    *,
    archive: bool,
    analytics: bool,
) -> tuple[list[Verdict], list[Check], Analysed | None]:
    counts = Counts(
        all_tournaments=len(contests),
        all_entries=sum(len(contest.entries) for contest, _ in contests),
        all_results=sum(len(contest.results) for contest, _ in contests),
        all_runners=sum(len(contest.results) for contest, _ in contests if contest.key == RACE),
    )
    try:
        await client.palio.gateway()
        with Show(counts, console) as show:
            show.line(f"demo: {_opening(run, counts)}")
            places = asyncio.Semaphore(SCHOOLS_AT_ONCE)
            clock = Clock(speed, run.clock_s)
            stage = Stage(client, clock, run, show, counts, data_dir, places, archive)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(Play(contest, timing, stage).play()) for contest, timing in contests]
                evening = group.create_task(_evening(stage, token_of))
            verdicts = [task.result() for task in tasks]
            analysed = await _analytics(verdicts, stage) if analytics else None
        return verdicts, evening.result(), analysed
    finally:
        await client.close()


async def _analytics(verdicts: Sequence[Verdict], stage: Stage) -> Analysed:
    """What analytics tell of each contest that came out as the data, one after another: a report takes a core."""
    analysed = Analysed()
    exact = [verdict.contest for verdict in verdicts if verdict.outcome == "exact"]
    stage.show.line(
        "demo: comparing what analytics tell of each tournament; what is not in the series yet is waited for"
    )
    for contest in exact:
        faults = await check_analytics(contest, stage.run.tournaments[contest.key], stage)
        if faults is None:
            analysed.guests += 1
        elif faults:
            analysed.faults.append(f"{contest.name}: its analytics DIFFER from the data: {faults[0]}")
        else:
            analysed.equal += 1
    return analysed


async def _evening(stage: Stage, token_of: TokenOf | None) -> list[Check]:
    """The club evening, once in a run."""
    if stage.run.evening:
        return []
    runners = [Runner(*runner) for runner in first_runners(ON_BOARDS)]
    key = f"demo-{stage.run.run}-evening-{int(time.time() * 1000)}"
    checks = await Evening(stage.client, runners, token_of, key).play()
    stage.run.evening = True
    stage.save()
    for check in checks:
        stage.show.line(f"demo: {check}")
    return checks


def _opening(run: DemoRun, counts: Counts) -> str:
    if run.resumed:
        return f"going on with the unfinished run {run.run} of this data directory, {len(run.tournaments)} tournaments begun"
    return (
        f"run {run.run}: {counts.all_tournaments - 1} school exams, a race of {counts.all_runners} runners and a club evening, "
        "almost four minutes"
    )


def _report(
    verdicts: Sequence[Verdict],
    checks: Sequence[Check],
    analysed: Analysed | None = None,
    *,
    resumed: bool,
    archive: bool,
    console: Console,
) -> int:
    """Print the total; 0 unless something differs, or a table was cut though nothing had interrupted the run."""
    exact = [verdict for verdict in verdicts if verdict.outcome == "exact"]
    cut = sum(verdict.outcome == "cut" for verdict in verdicts)
    for verdict in verdicts:
        if verdict.outcome != "exact":
            console.print(f"demo: {verdict}", markup=False, soft_wrap=True)
    rows = sum(verdict.rows for verdict in exact)
    total = f"{len(exact)} of {len(verdicts)} final tables equal those computed directly from the data ({rows} rows)"
    if archive:
        total += ", and so do their files in the archive"
    if cut:
        total += f"; {cut} ended before all was sent, and equal what was in"
    console.print(f"demo: {total}", markup=False, soft_wrap=True)
    if analysed is not None:
        for fault in analysed.faults:
            console.print(f"demo: {fault}", markup=False, soft_wrap=True)
        console.print(f"demo: {analysed}", markup=False, soft_wrap=True)
    if checks:
        well = sum(check.well for check in checks)
        told = f"{well} of {len(checks)} parts of the club evening came out as computed: {', '.join(c.name for c in checks)}"
        console.print(f"demo: {told}", markup=False, soft_wrap=True)
    failed = any(verdict.outcome == "differs" or (verdict.outcome == "cut" and not resumed) for verdict in verdicts)
    failed = failed or (analysed is not None and bool(analysed.faults))
    return 1 if failed or not all(check.well for check in checks) else 0


def _first(group: BaseException) -> BaseException:
    """The first error of a group of groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
