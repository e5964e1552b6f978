"""Records as JSON: what is read, and what becomes a dead letter. The formats themselves are held by test_golden.py."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.errors import InvalidRecordError
from actors.domain.messages import (
    MAX_VALUE_BYTES,
    Join,
    ScoreEvent,
    ScoreWire,
    decode_value,
    encode_message,
    encode_score,
    score_values,
)
from actors.domain.values import MAX_HUNDREDTHS, MAX_ID
from tests.golden.make import CREATE, RECORD_VALUES


@given(st.text(min_size=1, max_size=64), st.integers(1, MAX_ID), st.integers(-MAX_HUNDREDTHS, MAX_HUNDREDTHS))
def test_scores_are_read_as_written(event_id: str, user_id: int, score: int) -> None:
    try:
        event_id.encode()
    except UnicodeEncodeError:  # a lone surrogate is no text: no JSON can carry it to us
        return
    wire = decode_value(encode_score(event_id, user_id, score))
    assert isinstance(wire, ScoreWire)
    assert wire.event_id == event_id
    assert score_values(wire) == (user_id, score)


@pytest.mark.parametrize("value", RECORD_VALUES.values(), ids=list(RECORD_VALUES))
def test_reading_and_writing_again_gives_the_same_bytes(value: bytes) -> None:
    message = decode_value(value)
    assert not isinstance(message, ScoreEvent)
    assert encode_message(message) == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"score"',
        b"\xff\xfe",
        b'{"v":1,"type":"score"',
        b'{"v":1,"type":"tick"} ',
        b'{"v":1,"type":"tick"}}',
        b'{"v":2,"type":"tick"}',
        b'{"v":1,"type":"unknown"}',
        b'{"v":1,"type":"tick","more":1}',
        b'{"v":1,"type":"score","event_id":"e","user_id":42,"score":1}',
        b'{"v":1,"type":"score","event_id":"e","user_id":"42","score":"1"}',
        b'{"v":1,"type":"score","event_id":"e","user_id":"42","score":true}',
        b'{"v":1,"type":"score","event_id":"e","user_id":"42","score":1e400}',
        b'{"v":1,"type":"score","event_id":"e","user_id":"42","score":NaN}',
        b'{"v":1,"type":"score","event_id":"","user_id":"42","score":1}',
        b'{"v":1,"type":"score","event_id":"%s","user_id":"42","score":1}' % (b"x" * 65),
        rb'{"v":1,"type":"score","event_id":"\ud800","user_id":"42","score":1}',
        b'{"v":1,"type":"score","user_id":"42","score":1}',
        b'{"v":1,"type":"join","command_id":"c","user_id":"42","name":""}',
        b"[" * 60_000,
    ],
)  # fmt: skip
def test_malformed_values(value: bytes) -> None:
    if value.endswith(b" "):
        assert decode_value(value)  # space around JSON is JSON
        return
    with pytest.raises(InvalidRecordError) as caught:
        decode_value(value)
    assert caught.value.reason == "malformed"


def test_too_big() -> None:
    value = encode_message(Join(command_id="c", user_id="1"))
    assert decode_value(value + b" " * (MAX_VALUE_BYTES - len(value)))
    with pytest.raises(InvalidRecordError) as caught:
        decode_value(value + b" " * (MAX_VALUE_BYTES - len(value) + 1))
    assert caught.value.reason == "too_big"


@pytest.mark.parametrize(
    ("user_id", "score"),
    [("0", 1.0), ("-1", 1.0), ("", 1.0), (str(MAX_ID + 1), 1.0), ("1", 0.001), ("1", 1e9), ("1", -100_000_000.0)],
)
def test_scores_out_of_range_are_malformed(user_id: str, score: float) -> None:
    wire = decode_value(msgspec.json.encode(ScoreWire(event_id="e", user_id=user_id, score=score)))
    assert isinstance(wire, ScoreWire)
    with pytest.raises(InvalidRecordError) as caught:
        score_values(wire)
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    "change", [{"salt": ""}, {"salt": "5"}, {"salt": "xx"}, {"salt": "5a" * 65}, {"rules_version": 0}]
)
def test_a_create_that_could_not_be_applied_is_malformed(change: dict[str, object]) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        decode_value(encode_message(msgspec.structs.replace(CREATE, **change)))
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    "change",
    [{"ends_ms": 221_845_392_000_001}, {"starts_ms": -1}, {"capacity": 0}, {"max_attempts": 10_001}, {"name": ""}],
)
def test_a_spec_out_of_range_is_malformed(change: dict[str, object]) -> None:
    spec = msgspec.structs.replace(CREATE.spec, **change)
    with pytest.raises(InvalidRecordError) as caught:
        decode_value(encode_message(msgspec.structs.replace(CREATE, spec=spec)))
    assert caught.value.reason == "malformed"
