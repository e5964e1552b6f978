"""What records say: the JSON of the log's values.

A score is anyone's to produce; everything else but `tick` is a control record of Palio's own and signed (`actors.domain.signing`).
Reading is strict: unknown fields, wrong types and values out of range raise InvalidRecordError with reason `malformed`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from actors.domain.errors import InvalidRecordError, ScoreValueError
from actors.domain.messages.control import (
    Begin,
    Cancel,
    Claim,
    Create,
    Edit,
    End,
    Invite,
    Join,
    Leave,
    Open,
    RevokeInvitation,
    ScoreWire,
    Standings,
    Start,
    Tick,
    Written,
)
from actors.domain.messages.prizes import ApprovePrizes
from actors.domain.values import decimal_score, hundredths, parse_id

MAX_VALUE_BYTES: Final = 64 * 1024  # a create with 16 KiB of metadata fits four times over

Control = (
    Create
    | Join
    | Leave
    | Begin
    | Start
    | End
    | Cancel
    | Edit
    | Invite
    | RevokeInvitation
    | Open
    | Standings
    | Written
    | ApprovePrizes
    | Claim
)
Message = Control | Tick
_decoder = msgspec.json.Decoder(ScoreWire | Message)
_encode = msgspec.json.encode


def encode_message(message: ScoreWire | Message) -> bytes:
    """A record's value as JSON."""
    return _encode(message)


def encode_score(event_id: str, user_id: int, score: int) -> bytes:
    """A score's value, `score` in hundredths."""
    return _encode(ScoreWire(event_id=event_id, user_id=str(user_id), score=decimal_score(score)))


def decode_value(value: bytes) -> ScoreWire | Message:
    """Read a record's value. Raises InvalidRecordError: `too_big` or `malformed`."""
    if len(value) > MAX_VALUE_BYTES:
        raise InvalidRecordError("too_big", f"expected at most {MAX_VALUE_BYTES} bytes, got {len(value)}")
    try:
        message: ScoreWire | Message = _decoder.decode(value)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRecordError("malformed", str(error)) from error
    return message


def score_values(wire: ScoreWire) -> tuple[int, int]:
    """(user id, hundredths) of a score. Raises InvalidRecordError `malformed`."""
    try:
        return parse_id(wire.user_id), hundredths(wire.score)
    except (ValueError, ScoreValueError) as error:
        raise InvalidRecordError("malformed", str(error)) from error
