from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from serve_app.live.protocol import (
    Auth,
    MessageError,
    Position,
    Subscribe,
    Unsubscribe,
    me_frame,
    parse_message,
    text_frame,
)
from storage.ports import Standing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id":1,"auth":"x.y.z"}', Auth(1, "x.y.z")),
        ('{"id":"a","subscribe":"7"}', Subscribe("a", 7, None, False)),
        ('{"subscribe":"7","since":{"epoch":3,"seq":9},"me":true}', Subscribe(None, 7, Position(3, 9), True)),
        ('{"subscribe":"7","since":{"epoch":3,"seq":-1,"offset":9}}', Subscribe(None, 7, Position(3, -1), False)),
        ('{"id":3,"subscribe":"7","since":null}', Subscribe(3, 7, None, False)),
        ('{"id":3,"unsubscribe":"9223372036854775807"}', Unsubscribe(3, 2**63 - 1)),
    ],
)
def test_messages_are_read(text: str, message: object) -> None:
    assert parse_message(text) == message


@pytest.mark.parametrize(
    ("text", "code", "message_id"),
    [
        ("", "malformed", None),
        ("hello", "malformed", None),
        ("[1]", "malformed", None),
        ("1", "malformed", None),
        ('{"id":4}', "unknown_message", 4),
        ('{"id":4,"ping":true}', "unknown_message", 4),
        ('{"id":4,"subscribe":"7","unsubscribe":"7"}', "unknown_message", 4),
        ('{"id":4,"unsubscribe":"7","me":true}', "unknown_message", 4),
        ('{"id":4,"auth":"x","since":{"epoch":1,"seq":1}}', "unknown_message", 4),
        ('{"id":4,"subscribe":7}', "malformed", 4),
        ('{"id":4,"subscribe":"07"}', "malformed", 4),
        ('{"id":4,"subscribe":""}', "malformed", 4),
        ('{"id":4,"subscribe":"9223372036854775808"}', "malformed", 4),
        ('{"id":4,"subscribe":"-1"}', "malformed", 4),
        ('{"id":4,"subscribe":"\\u0661"}', "malformed", 4),
        ('{"id":4,"subscribe":"7","since":{"epoch":1}}', "malformed", 4),
        ('{"id":4,"subscribe":"7","since":{"epoch":"1","seq":2}}', "malformed", 4),
        ('{"id":4,"subscribe":"7","me":1}', "malformed", 4),
        ('{"id":4.5,"subscribe":"7"}', "malformed", None),
        ('{"id":"' + "x" * 65 + '","subscribe":"7"}', "malformed", None),
        ('{"id":"' + "x" * 65 + '","subscribe":7}', "malformed", None),
        ("[" * 16_000, "malformed", None),
        ('{"id":4,"auth":"\\ud800"}', "malformed", None),
    ],
)
def test_what_cannot_be_obeyed_is_an_error_with_its_id(text: str, code: str, message_id: object) -> None:
    with pytest.raises(MessageError) as raised:
        parse_message(text)
    assert (raised.value.code, raised.value.id) == (code, message_id)
    assert str(raised.value)


@given(st.text(max_size=200))
def test_any_text_is_a_message_or_an_error(text: str) -> None:
    with contextlib.suppress(MessageError):
        parse_message(text)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_carry_their_length(size: int) -> None:
    frame = text_frame(b"x" * size)
    head = 2 if size < 126 else 4 if size < 65_536 else 10
    assert (frame[0], len(frame), frame[head:]) == (0x81, head + size, b"x" * size)


def test_me_has_the_score_as_decimal() -> None:
    assert json.loads(me_frame(7, Standing(3, 2, 1050, 50.0), 4)[2:]) == {
        "type": "me", "tournament": "7", "rank": 2, "previous_rank": 4, "score": 10.5, "percentile": 50.0,
    }  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 125, 126, 297, 65_535, 65_536, 70_000])
def test_text_frames_are_those_of_the_library(size: int) -> None:
    payload = b"x" * size
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
