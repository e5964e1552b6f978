"""How the tables come into BENCHMARKS.md."""

from __future__ import annotations

import pytest

from scripts.benchmarks.report import REPORT, names, written


def test_a_result_replaces_what_stood_between_its_marks_and_nothing_else() -> None:
    report = "# A\n<!-- one -->\nold\n<!-- /one -->\nkept\n<!-- two -->\nother\n<!-- /two -->\n"
    once = written(report, "one", "| new |", "2026-01-02")
    assert once == report.replace("old", "Measured 2026-01-02.\n\n| new |")
    assert written(once, "one", "| new |", "2026-01-02") == once


def test_a_report_without_a_place_for_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="one"):
        written("<!-- /one -->\n<!-- one -->", "one", "| new |", "2026-01-02")


def test_the_report_has_a_place_for_every_benchmark() -> None:
    report = REPORT.read_text(encoding="utf-8")
    for name in names():
        assert "| new |" in written(report, name, "| new |", "2026-01-02")
