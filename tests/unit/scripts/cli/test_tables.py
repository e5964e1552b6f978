from __future__ import annotations

import sys

import pytest

from scripts.cli.tables import print_rows, print_table

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
