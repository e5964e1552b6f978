"""Snapshots: the same tournament gives the same bytes, whatever its history in memory; damaged ones are refused."""

from __future__ import annotations

import subprocess
import sys
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.codec import FORMAT_VERSION, MAGIC, decode_snapshot, encode_snapshot, newest_state
from actors.domain.errors import SnapshotDamagedError, SnapshotError, SnapshotVersionError
from actors.domain.messages import RULES_VERSION, Join
from storage.ports import StoredSnapshot
from tests.golden.make import golden_states
from tests.support.histories import Step, create_of, fold, histories, items_of, random_spec


@given(histories())
@settings(max_examples=100, deadline=None)
def test_what_is_decoded_is_what_was_encoded(steps: list[Step]) -> None:
    state = fold(items_of(steps))
    data = encode_snapshot(state)
    again = decode_snapshot(data)
    assert encode_snapshot(again) == data
    for name in ("tournament_id", "partition", "creator", "dedicated", "salt", "request_digest", "spec", "created_ms"):
        assert getattr(again, name) == getattr(state, name)
    for name in ("time_ms", "offset", "status", "version", "revision", "finished_ms", "seen", "rules_version"):
        assert getattr(again, name) == getattr(state, name)
    assert again.members.joined == state.members.joined
    for slot in range(len(state.members)):
        user = state.members.users.user_id(slot)
        other = again.members.users.slot(user)
        for column in ("names", "attempts", "scored_ms", "joined_ms", "active"):
            assert getattr(again.members, column)[other] == getattr(state.members, column)[slot]
        assert (other in again.members.removed) == (slot in state.members.removed)
        assert again.ranking.score(other) == state.ranking.score(slot)
        assert again.ranking.rank(other) == state.ranking.rank(slot)


def test_encoding_changes_nothing() -> None:
    state = golden_states()["running"]
    first = encode_snapshot(state)
    assert encode_snapshot(state) == first


def test_metadata_keeps_its_values_and_not_its_order() -> None:
    state = golden_states()["empty"]
    values = {"b": 18446744073709551615, "a": 1.0, "": None, "c": {"z": [True, "x"], "y": -1e300}}
    state.spec = msgspec.structs.replace(state.spec, metadata=values)
    first = encode_snapshot(state)
    state.spec = msgspec.structs.replace(state.spec, metadata=dict(reversed(values.items())))
    assert encode_snapshot(state) == first
    assert decode_snapshot(first).spec.metadata == values


@pytest.mark.parametrize("read", [decode_snapshot])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_damage_is_noticed(read: object, data: st.DataObject) -> None:
    whole = encode_snapshot(golden_states()["running"])
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytes([whole[at] ^ data.draw(st.integers(1, 255))])
    damaged = data.draw(st.sampled_from([whole[:at], whole[:at] + flipped + whole[at + 1 :]]))
    with pytest.raises(SnapshotError):
        read(damaged)  # type: ignore[operator]


@pytest.mark.parametrize("data", [b"", MAGIC, b"not a snapshot at all, but long enough to hold a prefix"])
def test_what_is_no_snapshot(data: bytes) -> None:
    with pytest.raises(SnapshotDamagedError, match="expected a snapshot"):
        decode_snapshot(data)


def test_the_newest_that_can_be_read_is_taken_unless_it_is_too_old() -> None:
    whole = encode_snapshot(golden_states()["running"])
    older, damaged = StoredSnapshot(1, 0, 5, whole), StoredSnapshot(1, 0, 9, whole[:-1])
    assert encode_snapshot(newest_state([damaged, older], 5)) == older.data
    with pytest.raises(
        SnapshotDamagedError
    ):  # of what is new enough nothing can be read: told as the damage that it is
        newest_state([damaged, older], 6)
    with pytest.raises(SnapshotError, match="offset 6 or later, got none"):
        newest_state([older], 6)


def test_a_newer_format_is_refused_by_name() -> None:
    data = bytearray(encode_snapshot(golden_states()["empty"]))
    data[8:10] = (FORMAT_VERSION + 1).to_bytes(2, "big")
    with pytest.raises(SnapshotVersionError, match=f"format {FORMAT_VERSION} or older, got {FORMAT_VERSION + 1}"):
        decode_snapshot(bytes(data))


def test_newer_rules_are_refused_by_name() -> None:
    state = golden_states()["empty"]
    state.rules_version = RULES_VERSION + 1
    with pytest.raises(SnapshotVersionError, match=f"rules {RULES_VERSION} or older, got {RULES_VERSION + 1}"):
        decode_snapshot(encode_snapshot(state))


def test_the_longest_names_in_characters_of_four_bytes() -> None:
    join = Join(command_id="j", user_id=str(2**63 - 1), name="😀" * 64, invited=True)
    state = fold(items_of([Step(9_000, create_of(random_spec(Random(1)))), Step(9_001, join)]))
    assert state.members.names == ["😀" * 64]
    assert encode_snapshot(decode_snapshot(encode_snapshot(state))) == encode_snapshot(state)


def test_pandas_is_not_loaded() -> None:
    """pyarrow's conversions import it: 2 s at the first checkpoint and 40 MB in each of many processes."""
    code = (
        "import sys; from tests.golden.make import golden_states; from actors.domain.codec import *;"
        "[decode_snapshot(encode_snapshot(s)) for s in golden_states().values()]; print('pandas' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
