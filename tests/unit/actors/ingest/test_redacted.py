"""No key in dead letters, and everything else as it was."""

from __future__ import annotations

import pytest

from actors.domain.messages import Keyed, Spec, encode_message
from actors.ingest.dead_letters import DeadLetters
from actors.ingest.redacted import LEFT_OUT, without_key
from storage.ports import DeadLetter, LogRecord
from tests.support.histories import create_of
from tests.support.memory_ports import MemoryScoreLog

KEYED = Keyed(key={"q1": "verysecret", "q2": ["alsosecret"]}, points=2)
CREATE = encode_message(create_of(Spec(name="x", type="scheduled", scoring=KEYED)))


def letter(value: bytes) -> DeadLetter:
    return DeadLetter(LogRecord(0, 7, 1000, b"42", value, "k:00"), "unsigned", "no good signature")


def test_a_create_loses_its_key_and_nothing_else() -> None:
    stripped = without_key(letter(CREATE))
    assert b"secret" not in stripped.record.value
    assert b'"points":2' in stripped.record.value
    assert b'"name":"x"' in stripped.record.value
    assert (stripped.reason, stripped.detail, stripped.record.offset) == ("unsigned", "no good signature", 7)


@pytest.mark.parametrize("value", [b'{"type":"score"', b"", b'{"event_id":"keyed","score":1}', b"keyed", CREATE[:-9]])
def test_other_values_stay_and_what_cannot_be_read_is_left_out(value: bytes) -> None:
    stripped = without_key(letter(value))
    if b"keyed" in value and not value.endswith(b"}"):
        assert (stripped.record.value, stripped.detail.endswith(LEFT_OUT)) == (b"", True)
    else:
        assert stripped == letter(value)


async def test_the_log_is_given_no_key() -> None:
    log = MemoryScoreLog(1, clock_ms=lambda: 0)
    letters = DeadLetters(log, 10)
    letters.add(letter(CREATE))
    await letters.flush()
    (kept,) = await log.dead_letters()
    assert b"secret" not in kept.record.value
