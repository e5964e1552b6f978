from __future__ import annotations

from pathlib import Path

import pytest

from scripts.demo.state import FILE, DemoRun, Held, open_run


def test_an_unfinished_run_goes_on(tmp_path: Path) -> None:
    run = DemoRun(clock_s=7.5, tournaments={"race": Held("7", 1.5, 99, over=True), "school": Held("8", 2.0, 100)})
    run.save(tmp_path / "made")
    again = open_run(tmp_path / "made", 2)
    assert again.resumed
    assert (again.run, again.clock_s, again.tournaments) == (run.run, run.clock_s, run.tournaments)
    assert [path.name for path in (tmp_path / "made").iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("tournaments", "contests", "unfinished"),
    [
        ({}, 2, False),
        ({"a": Held("1", 0, 0, over=True)}, 2, True),
        ({"a": Held("1", 0, 0)}, 1, True),
        ({"a": Held("1", 0, 0, over=True)}, 1, False),
    ],
)
def test_a_run_is_unfinished_until_all_are_over(
    tmp_path: Path, tournaments: dict[str, Held], contests: int, unfinished: bool
) -> None:
    run = DemoRun(tournaments=tournaments)
    assert run.unfinished(contests) is unfinished
    run.save(tmp_path)
    assert (open_run(tmp_path, contests).run == run.run) is unfinished


def test_a_new_run_is_another_one(tmp_path: Path) -> None:
    first, second = open_run(tmp_path, 1), open_run(None, 1)
    assert first.run != second.run
    assert not first.resumed
    first.save(None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"tournaments": []}', '{"tournaments": {"a": {"x": 1}}}', '{"tournaments": {}, "more": 1}'],
)
def test_a_file_of_somebody_else_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="remove it to begin a new demo"):
        open_run(tmp_path, 1)
