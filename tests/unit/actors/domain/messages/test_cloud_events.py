from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from actors.domain.errors import InvalidRecordError
from actors.domain.messages import ScoreEvent, ScoreWire, decode_value, event_wire, submission_values
from actors.domain.messages.cloud_events import structured

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "type": "palio.score.submitted",
    "source": "https://game.example",
    "id": "match-17",
    "subject": "42",
    "data": {"user_id": "5", "score": 912.5},
}


def read(**changes: Any) -> ScoreEvent:
    event = {name: value for name, value in {**EVENT, **changes}.items() if value is not None}
    decoded = decode_value(json.dumps(event).encode())
    assert isinstance(decoded, ScoreEvent)
    return decoded


def test_an_event_stands_for_a_score() -> None:
    wire = event_wire(read(time="2027-01-01T00:00:00Z", traceparent="00-x", partitionkey="5", dataschema="x"))
    assert isinstance(wire, ScoreWire)
    assert submission_values(wire) == (5, 91250, None, b"")
    assert len(wire.event_id) <= 64


def test_it_may_carry_a_result_and_a_subscore() -> None:
    wire = event_wire(read(data={"user_id": "5", "result": {"correct": 7}, "subscore": 1.25}))
    assert submission_values(wire) == (5, 0, 125, b'{"correct": 7}')


def test_source_and_id_together_tell_events_apart() -> None:
    ids = {read(source=source, id=id_).event_id for source in ("a", "ab", "b") for id_ in ("b", "c", "bc")}
    assert len(ids) == 9
    assert read().event_id == read(subject="43", data={"user_id": "9", "score": 1}).event_id
    assert read(id="x" * 2048).event_id != read(id="x" * 2047).event_id


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(InvalidRecordError, match=f"`{name}`"):
        read(**{name: None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"type": "com.example.other"}, r"\$\.type"),
        ({"id": ""}, r"\$\.id"),
        ({"id": 7}, r"\$\.id"),
        ({"source": "x" * 2049}, r"\$\.source"),
        ({"data": {"score": 1}}, "user_id"),
        ({"data": {"user_id": "5", "score": 1, "more": 1}}, "unknown field"),
        ({"data": "text"}, r"\$\.data"),
    ],
)
def test_a_wrong_one_is_malformed(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRecordError, match=message) as caught:
        read(**changes)
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"data": None},
        {"data": None, "data_base64": "%"},
        {"data": None, "data_base64": base64.b64encode(b"no JSON").decode()},
        {"data": None, "data_base64": base64.b64encode(b'{"user_id": 5}').decode()},
    ],
)
def test_data_that_is_none_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecordError, match="data: "):
        event_wire(read(**changes))


def test_data_may_be_base64() -> None:
    encoded = base64.b64encode(json.dumps(EVENT["data"]).encode()).decode()
    assert event_wire(read(data=None, data_base64=encoded)) == event_wire(read())


def test_parts_make_the_same_event() -> None:
    attributes = {name: value for name, value in EVENT.items() if name != "data"}
    whole = decode_value(structured(attributes, b' {"user_id": "5", "score": 912.5} '))
    assert isinstance(whole, ScoreEvent)
    assert event_wire(whole) == event_wire(read())


@pytest.mark.parametrize("data", [b"", b"no JSON", b'1},"id":"other"', b'{"user_id": "5"', b"\xff"])
def test_parts_with_data_that_is_no_json_stay_an_event_that_has_none(data: bytes) -> None:
    attributes = {name: value for name, value in EVENT.items() if name != "data"}
    event = msgspec.json.decode(structured(attributes, data), type=ScoreEvent)
    assert event.id == "match-17"
    with pytest.raises(InvalidRecordError):
        event_wire(event)
