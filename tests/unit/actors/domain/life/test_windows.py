"""What is appended within a participant's window counts."""

from __future__ import annotations

from actors.domain.messages import Begin
from tests.unit.actors.domain.test_fold import END, START, World


def test_what_is_appended_within_the_window_counts() -> None:
    world = World(window_ms=50)
    world.join(600, 1, 2)
    assert world.score(START, 1, 100) == "not_begun"
    world.record(START + 10, Begin(command_id="b", user_id="1"))
    assert world.score(START + 10, 1, 100) == ""
    assert world.score(START + 59, 1, 200) == ""
    assert world.score(START + 60, 1, 300) == "window_over"
    assert world.score(START + 60, 2, 300) == "not_begun"
    assert world.table() == [(1, 1, 2)]


def test_the_end_of_all_is_the_end_of_a_window() -> None:
    world = World(window_ms=5_000)
    world.join(600, 1)
    world.record(END - 10, Begin(command_id="b", user_id="1"))
    assert world.score(END - 1, 1, 100) == ""
    assert world.score(END, 1, 200) == "ended"
