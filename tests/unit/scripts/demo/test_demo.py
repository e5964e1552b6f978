"""How a run of the demo ends, and what it says then. A whole run against a Palio is `scripts/run`'s own."""

from __future__ import annotations

import asyncio
import io
import signal
from pathlib import Path

import pytest
from rich.console import Console

from scripts.demo import demo
from scripts.demo.client import DemoError
from scripts.demo.contest import Verdict
from scripts.demo.data import RACE, Contest
from scripts.demo.demo import Analysed, _first, _opening, _report, _until_signal, plan, run_demo
from scripts.demo.evening import Check
from scripts.demo.show import Counts
from scripts.demo.state import FILE, DemoRun, Held

CONTEST = Contest("k", "School", "desc", "first", 9, {}, [], [])
EXACT, CUT, DIFFERS = (Verdict(CONTEST, outcome, 3, "") for outcome in ("exact", "cut", "differs"))


@pytest.mark.parametrize(
    ("verdicts", "resumed", "status"),
    [
        ([EXACT, EXACT], False, 0),
        ([EXACT, DIFFERS], False, 1),
        ([EXACT, DIFFERS], True, 1),
        ([EXACT, CUT], False, 1),
        ([EXACT, CUT], True, 0),  # it was interrupted, and ends came meanwhile
        ([], False, 0),
    ],
)
def test_a_run_is_well_when_every_table_is(verdicts: list[Verdict], resumed: bool, status: int) -> None:
    written = io.StringIO()
    assert _report(verdicts, [], resumed=resumed, archive=True, console=Console(file=written, width=20)) == status
    lines = written.getvalue().splitlines()
    exact = verdicts.count(EXACT)
    assert f"{exact} of {len(verdicts)} final tables equal those computed directly" in lines[-1]
    assert f"({3 * exact} rows)" in lines[-1]
    assert ("ended before all was sent" in lines[-1]) is (CUT in verdicts)
    assert len(lines) == 1 + len(verdicts) - exact


@pytest.mark.parametrize("well", [True, False])
def test_a_run_is_well_when_the_evening_is(well: bool) -> None:
    written = io.StringIO()
    checks = [Check("Prizes", True, "paid"), Check("Notice", well, "heard")]
    assert _report([EXACT], checks, resumed=False, archive=False, console=Console(file=written, width=20)) == (
        0 if well else 1
    )
    assert f"{1 + well} of 2 parts of the club evening came out as computed: Prizes, Notice" in written.getvalue()


@pytest.mark.parametrize(("faults", "status"), [([], 0), (["School: its analytics DIFFER"], 1)])
def test_a_run_is_well_when_analytics_are(faults: list[str], status: int) -> None:
    written = io.StringIO()
    analysed = Analysed(equal=5, guests=1, faults=faults)
    console = Console(file=written, width=20)
    assert _report([EXACT], [], analysed, resumed=False, archive=False, console=console) == status
    lines = written.getvalue().splitlines()
    assert lines[-1] == (
        f"demo: analytics of 5 of {5 + len(faults)} tournaments equal those computed directly from the data; "
        "1 left out, where guests took part"
    )
    assert [line.removeprefix("demo: ") for line in lines[1:-1]] == faults


def test_the_first_error_of_groups_of_groups_is_told() -> None:
    assert str(_first(ExceptionGroup("a", [ExceptionGroup("b", [DemoError("x"), OSError("y")])]))) == "x"
    assert str(_first(DemoError("x"))) == "x"


async def test_it_plays_until_it_is_over_or_a_signal_comes() -> None:
    async def playing(seconds: float) -> list[Verdict]:
        asyncio.get_running_loop().call_later(0.01, signal.raise_signal, signal.SIGTERM)
        await asyncio.sleep(seconds)
        return [EXACT]

    try:
        assert await _until_signal(playing(30)) is None
        assert await _until_signal(playing(0)) == [EXACT]
        await asyncio.sleep(0.02)  # the second signal, of which nothing is left to end
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)


def test_the_race_lasts_while_schools_come_and_go() -> None:
    (race, whole), *others = plan()
    assert race.key == RACE
    assert whole.end_early
    assert len(others) > 50
    begins = [timing.begin_s for _, timing in others]
    assert begins == sorted(set(begins))
    assert len({race.key, *(contest.key for contest, _ in others)}) == 1 + len(others)


def test_it_says_whether_it_goes_on() -> None:
    counts = Counts(all_tournaments=3, all_entries=1, all_results=1, all_runners=7)
    assert _opening(DemoRun(run="abc"), counts).startswith(
        "run abc: 2 school exams, a race of 7 runners and a club evening"
    )
    resumed = DemoRun(run="abc", tournaments={"a": Held("1", 0, 0)}, resumed=True)
    assert "unfinished run abc of this data directory, 1 tournaments begun" in _opening(resumed, counts)


def test_a_file_that_is_not_ours_is_one_line_and_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "plan", list)
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    assert run_demo("http://127.0.0.1:1", "token", data_dir=tmp_path) == 1
    told = capsys.readouterr().out
    assert told.startswith("demo: cannot read")
    assert told.count("\n") == 1
