"""Fields of the spec that came later: absent while they are not used, and malformed under rules that do not know them."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from actors.domain.codec import encode_snapshot
from actors.domain.errors import InvalidRecordError
from actors.domain.messages import RULES_VERSION, Changes, Spec, needed_rules
from actors.domain.messages.spec import LATER_FIELDS
from tests.support.histories import create_of
from tests.unit.actors.domain.test_fold import World

OLDER = range(1, RULES_VERSION)


def test_they_are_absent_while_they_are_not_used() -> None:
    spec = Spec(name="x", type="instant", capacity=1, duration_ms=1)
    assert not LATER_FIELDS.keys() & msgspec.to_builtins(spec).keys()
    assert msgspec.json.encode(Changes(name="x")) == b'{"name":"x"}'
    assert all(getattr(spec, name) is UNSET for name in LATER_FIELDS)


def test_each_is_of_rules_that_there_are() -> None:
    assert set(LATER_FIELDS.values()) <= set(range(2, RULES_VERSION + 1))
    assert needed_rules(Changes(name="x", capacity=1)) == (1, "")
    assert needed_rules(Changes(window_ms=None)) == (3, "window_s")  # taking it away takes those rules, too


@pytest.mark.parametrize("rules", OLDER)
def test_under_older_rules_a_create_with_one_is_malformed_an_edit_refused(rules: int) -> None:
    with pytest.raises(InvalidRecordError, match=f"window_s came with rules 3, the tournament has rules {rules}"):
        World(rules_version=rules, window_ms=5)
    world = World(rules_version=rules)
    before = encode_snapshot(world.now)
    assert world.edit(600, window_ms=5, name="other") == "older_rules"
    assert encode_snapshot(world.now) == before  # nor the half that is known


def test_an_edit_sets_one_and_takes_it_away() -> None:
    world = World()
    assert world.edit(600, window_ms=5) == ""
    assert world.now.spec.window_ms == 5
    assert world.edit(601, name="other") == ""
    assert world.now.spec.window_ms == 5
    assert world.edit(602, window_ms=None) == ""
    assert world.now.spec == msgspec.structs.replace(World().now.spec, name="other")
    assert create_of(world.now.spec).rules_version == RULES_VERSION
