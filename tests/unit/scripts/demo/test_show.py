from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from scripts.demo.show import PLAIN_INTERVAL_S, Counts, Show


def counts() -> Counts:
    return Counts(all_tournaments=3, all_entries=40, all_results=500, all_runners=60)


def test_elsewhere_than_in_a_terminal_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    written, how_far = io.StringIO(), counts()
    show = Show(how_far, Console(file=written, width=40))
    show.refresh()
    how_far.over, how_far.running, how_far.results = 1, 2, 7
    for _ in range(3):
        show.refresh()
    now_s += PLAIN_INTERVAL_S
    show.refresh()
    assert written.getvalue().splitlines() == [
        "demo: 0/3 finished, 0 running; 0/40 joined, 0/500 scores sent, 0/60 runners in",
        "demo: 1/3 finished, 2 running; 0/40 joined, 7/500 scores sent, 0/60 runners in",
    ]


def test_a_line_is_printed_as_it_is() -> None:
    written = io.StringIO()
    show = Show(counts(), Console(file=written, width=20))
    show.line("demo: [red]Nobody[/red] is longer than the console is wide")
    assert written.getvalue() == "demo: [red]Nobody[/red] is longer than the console is wide\n"


def test_a_terminal_has_bars() -> None:
    written, how_far = io.StringIO(), counts()
    with Show(how_far, Console(file=written, width=100, force_terminal=True)) as show:
        how_far.over, how_far.entries, how_far.results, how_far.runners = 3, 20, 499, 60
        show.refresh()
    for told in ("tournaments finished", "3/3", "20/40", "499/500", "60/60"):
        assert told in written.getvalue()
    assert "demo:" not in written.getvalue()
