"""Records and snapshots written by earlier versions are read by this one, and mean what they meant."""

from __future__ import annotations

import json

import pytest

from actors.domain import views
from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.messages import (
    Cancel,
    Changes,
    Claim,
    Edit,
    End,
    Join,
    Leave,
    Message,
    ScoreWire,
    Start,
    Tick,
    decode_value,
    encode_message,
    score_values,
)
from tests.golden.make import CREATE, RECORDS, golden_states, snapshot_path

MEANINGS: dict[str, ScoreWire | Message] = {
    "create": CREATE,
    "join": Join(command_id="j1", user_id="42", name="Zoë", invited=True),
    "join_bare": Join(command_id="j2", user_id="9223372036854775807"),
    "leave": Leave(command_id="l1", user_id="42"),
    "score": ScoreWire(event_id="e1", user_id="42", score=912.5),
    "score_negative": ScoreWire(event_id="e2", user_id="42", score=-99_999_999.99),
    "start": Start(command_id="s1"),
    "end": End(command_id="n1"),
    "cancel": Cancel(command_id="c1"),
    "edit": Edit(command_id="d1", changes=Changes(name="Later", capacity=2000), if_version=1),
    "tick": Tick(),
    "claim": Claim(command_id="k1", scope="partition-3", owner="shard-0", instance="abc"),
}
GOLDEN_RECORDS: dict[str, str] = json.loads(RECORDS.read_text())


def test_every_record_type_has_a_golden_record() -> None:
    assert GOLDEN_RECORDS.keys() == MEANINGS.keys()


@pytest.mark.parametrize("name", MEANINGS)
def test_golden_records_mean_what_they_meant(name: str) -> None:
    message = decode_value(GOLDEN_RECORDS[name].encode())
    assert message == MEANINGS[name]
    if isinstance(message, ScoreWire):
        assert score_values(message) == (42, 91_250 if name == "score" else -9_999_999_999)


@pytest.mark.parametrize("name", MEANINGS)
def test_todays_records_are_the_golden_ones(name: str) -> None:
    assert encode_message(MEANINGS[name]) == GOLDEN_RECORDS[name].encode()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["running", "finished", "empty"])
def test_golden_snapshots_mean_what_they_meant(name: str, version: int) -> None:
    """Not the bytes: those may change with pyarrow. What is in them may not."""
    data = snapshot_path(name, version).read_bytes()
    got, wanted = decode_snapshot(data), golden_states(version)[name]
    assert encode_snapshot(got) == encode_snapshot(wanted)
    assert views.view(got, 1, 2, got.status) == views.view(wanted, 1, 2, wanted.status)


def test_a_golden_snapshot_by_eye() -> None:
    state = decode_snapshot(snapshot_path("running", version=1).read_bytes())
    rows = [(row["rank"], row["user_id"], row["name"], row["score"]) for row in views.rows(state, 0, 10)]
    assert rows == [(1, "10", "Ann", 5), (1, "30", "Zoë", 5)]
    assert (state.members.joined, len(state.members), len(state.seen)) == (4, 5, 10)
    assert state.ranking.score(state.members.users.slot(20)) == 500
    assert state.spec == CREATE.spec
    assert (state.rules_version, state.members.removed) == (1, set())


def test_a_golden_snapshot_knows_who_was_removed() -> None:
    members = decode_snapshot(snapshot_path("running", version=2).read_bytes()).members
    assert [members.users.user_id(slot) for slot in members.removed] == [50]
