"""Patches do what RFC 6902 says, as another library does them."""

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpointer import JsonPointerException

from scripts.client.palio_client.patch import apply_patch

DATA = {"status": "running", "participants": 3, "a/b~c": 1, "top": [{"n": 1}, {"n": 2}, {"n": 3}]}
INDEX = st.integers(0, 2).map(str)
OPERATIONS = st.one_of(
    st.builds(
        lambda at, value: {"op": "add", "path": f"/top/{at}", "value": {"n": value}},
        st.sampled_from("0123-"),
        st.integers(),
    ),
    st.builds(lambda at: {"op": "remove", "path": f"/top/{at}"}, INDEX),
    st.builds(lambda a, b: {"op": "move", "from": f"/top/{a}", "path": f"/top/{b}"}, INDEX, INDEX),
    st.builds(lambda at, value: {"op": "replace", "path": f"/top/{at}/n", "value": value}, INDEX, st.integers()),
    st.builds(lambda value: {"op": "replace", "path": "/participants", "value": value}, st.integers()),
    st.just({"op": "replace", "path": "/a~1b~0c", "value": 2}),
)


@given(st.lists(OPERATIONS, max_size=6))
def test_patches_do_as_the_library_does(patch: list[dict[str, Any]]) -> None:
    mine = copy.deepcopy(DATA)
    try:
        wanted = jsonpatch.apply_patch(DATA, patch)
    except (jsonpatch.JsonPatchException, JsonPointerException):
        with pytest.raises(ValueError, match="expected a patch of the data at hand"):
            apply_patch(mine, patch)
    else:
        apply_patch(mine, patch)
        assert mine == wanted


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "replace", "path": "/top/9/n", "value": 1},
        {"op": "add", "path": "/top/9", "value": 1},
        {"op": "remove", "path": "/top/x"},
        {"op": "remove", "path": "/top/-1"},
        {"op": "test", "path": "/participants", "value": 1},
    ],
)
def test_what_does_not_fit_is_an_error(operation: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected a patch of the data at hand"):
        apply_patch(copy.deepcopy(DATA), [operation])
