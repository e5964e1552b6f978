"""Groups against a plain dict."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.boards.groups import Groups

moves = st.lists(st.tuples(st.integers(0, 12), st.none() | st.sampled_from(["FR", "DE", "PL"])))


@settings(deadline=None)
@given(moves)
def test_any_moves_equal_a_dict(moves: list[tuple[int, str | None]]) -> None:
    groups, model = Groups(), dict[int, str]()
    for slot, name in moves:
        if name is None:
            groups.forget(slot)
            model.pop(slot, None)
        else:
            groups.put(slot, name)
            model[slot] = name
    slots = list(range(15))
    assert groups.texts(slots) == [model.get(slot) for slot in slots]
    names, numbers = groups.names(), groups.numbers(np.array(slots, np.int32)).tolist()
    assert [names[number] if number >= 0 else None for number in numbers] == [model.get(slot) for slot in slots]
    for name in ("FR", "DE", "PL", "IT"):
        found = groups.slots_of(name)
        members = {slot for slot, group in model.items() if group == name}
        assert members == (set() if found is None else set(found.tolist()))
    assert {name for name in names if name} == set(model.values())
    assert len(groups) == len(names)
