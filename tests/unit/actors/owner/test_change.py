"""A change: two of one tournament come to one that says what either said."""

from __future__ import annotations

import pytest

from actors.owner.change import Change
from tests.support.histories import BEGIN_MS, Step, create_of
from tests.support.read_model_owner import Held
from tests.unit.actors.owner.test_owner import SPEC

ENTITY = Held.of([Step(BEGIN_MS, create_of(SPEC))]).entity


def test_by_itself_it_says_that_the_offset_moved_and_nothing_else() -> None:
    change = Change(ENTITY)
    assert (change.slots, change.urgent, change.top) == ({}, False, False)
    Change(ENTITY).slots[1] = 5
    assert change.slots == {}, "each has its own"


@pytest.mark.parametrize("flags", [(False, False), (True, False), (False, True), (True, True)])
def test_together_they_say_what_either_says(flags: tuple[bool, bool]) -> None:
    urgent, top = flags
    first, second = Change(ENTITY, {0: 5, 1: 6}, urgent=urgent), Change(ENTITY, {1: 6, 2: 7}, top=top)
    first.add(second)
    assert (first.slots, first.urgent, first.top) == ({0: 5, 1: 6, 2: 7}, urgent, top)
    assert (second.slots, second.urgent, second.top) == ({1: 6, 2: 7}, False, top), "the other is left as it was"
    second.add(Change(ENTITY, urgent=urgent))
    assert (second.urgent, second.top) == (urgent, top)
