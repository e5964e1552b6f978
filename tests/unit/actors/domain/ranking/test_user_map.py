"""The user map against a dict."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.ranking.user_map import UserMap
from actors.domain.values import MAX_ID

user_ids = st.one_of(st.integers(1, 60), st.integers(MAX_ID - 20, MAX_ID), st.integers(1, MAX_ID))
multipliers = st.one_of(st.just(1), st.just(2**64 - 1), st.integers(0, 2**63 - 1).map(lambda n: 2 * n + 1))


@given(
    batches=st.lists(st.one_of(user_ids, st.lists(user_ids, max_size=120)), max_size=8),
    asked=st.lists(user_ids, max_size=60),
    multiplier=multipliers,
)
@settings(max_examples=200, deadline=None)
def test_any_history_equals_a_dict(batches: list[int | list[int]], asked: list[int], multiplier: int) -> None:
    users, model = UserMap(multiplier), dict[int, int]()
    for batch in batches:
        if isinstance(batch, int):
            assert users.add(batch) == model.setdefault(batch, len(model))
        else:
            expected = [model.setdefault(user_id, len(model)) for user_id in batch]
            assert users.add_many(batch).tolist() == expected
        assert len(users) == len(model)
    everyone = [*model, *asked]
    assert [users.slot(user_id) for user_id in everyone] == [model.get(user_id, -1) for user_id in everyone]
    assert users.slots(everyone).tolist() == [model.get(user_id, -1) for user_id in everyone]
    assert users.slots(everyone[:3]).tolist() == [model.get(user_id, -1) for user_id in everyone[:3]]
    assert users.user_ids(range(len(model))).tolist() == list(model)
    assert [users.user_id(slot) for slot in range(len(model))] == list(model)


def test_slots_do_not_depend_on_the_multiplier() -> None:
    wanted = np.random.default_rng(2).integers(1, 2**63 - 1, 5_000)
    assert UserMap(3).add_many(wanted).tolist() == UserMap(2**63 + 11).add_many(wanted).tolist()


@pytest.mark.parametrize("step", [1, 1024, 2**32, 2**40])
def test_regular_ids_do_not_cluster(step: int) -> None:
    users = UserMap()
    wanted = np.arange(1, 20_001) * step
    users.add_many(wanted)
    table = users._table
    away = (np.flatnonzero(table >= 0) - users._home(users._ids[table[table >= 0]])) % len(table)
    assert away.mean() < 2  # a random function gives 0.14 at this load


def test_bytes_a_user() -> None:
    tracemalloc.start()
    users = UserMap()
    for start in range(0, 100_000, 1_000):
        users.add_many(np.arange(start + 1, start + 1_001))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held <= 22 * len(users)


@pytest.mark.parametrize("user_id", [0, -1, MAX_ID + 1])
def test_ids_out_of_range_are_not_added(user_id: int) -> None:
    users = UserMap()
    with pytest.raises(ValueError, match="user id"):
        users.add(user_id)
    assert users.slot(user_id) == -1
    assert len(users) == 0


def test_batches_with_an_id_out_of_range_add_nothing() -> None:
    users = UserMap()
    with pytest.raises(ValueError, match="user ids"):
        users.add_many([5, 0])
    assert len(users) == 0


def test_slots_not_given_out_are_errors() -> None:
    users = UserMap()
    users.add(7)
    for bad in (-1, 1):
        with pytest.raises(IndexError):
            users.user_id(bad)
        with pytest.raises(IndexError):
            users.user_ids([0, bad])


def test_an_even_multiplier_is_an_error() -> None:
    with pytest.raises(ValueError, match="odd"):
        UserMap(2)
