from __future__ import annotations

import sys

import pytest

from scripts.cli.tables import print_rows, print_table, score_text

TITLES, ROWS = ("name", "state"), [("shard-0", "[red]away[/red]"), ("x" * 30, "y " * 60)]


def test_elsewhere_than_on_a_terminal_each_row_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(TITLES, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name  state", "shard-0  [red]away[/red]", f"{'x' * 30}  {'y ' * 60}"]


def test_on_a_terminal_it_is_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_table(TITLES, ROWS)
    table = capsys.readouterr().out
    assert "[red]away[/red]" in table  # what is shown is text
    assert "x" * 30 in table  # the first column is whole
    assert max(map(len, table.splitlines())) <= 60
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_rows(TITLES, ROWS)
    assert "\x1b[1mname" in capsys.readouterr().out  # now its titles are bold


@pytest.mark.parametrize(
    ("score", "display", "text"),
    [
        (2814, ("time", 0), "46:54"),
        (3729.5, ("time", 2), "1:02:09.50"),
        (59.999, ("time", 2), "1:00.00"),
        (59.5, ("time", 0), "1:00"),
        (-62.5, ("time", 1), "-1:02.5"),
        (0.04, ("time", 1), "0:00.0"),
        (912.5, ("points", 2), "912.50"),
        (1234567, ("currency", 0), "1,234,567"),
        (None, ("time", 0), "-"),
    ],
)
def test_a_score_is_shown_in_its_unit(score: float | None, display: tuple[str, int], text: str) -> None:
    assert score_text(score, *display) == text
