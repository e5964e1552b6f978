"""What records say: the JSON of the log's values.

A score is anyone's to produce, also as a CloudEvent; everything else but `tick` is a control record of Palio's own and signed
(`actors.domain.signing`). Reading is strict: unknown fields, wrong types and values out of range raise InvalidRecordError with reason
`malformed`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from actors.domain.errors import InvalidRecordError, ScoreValueError
from actors.domain.messages.cloud_events import ScoreEvent
from actors.domain.messages.control import (
    Cancel,
    Claim,
    Create,
    Edit,
    End,
    Erase,
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
from actors.domain.messages.life import Begin, Disqualify, Done, ExtraTime, Reinstate, Reopen, Reveal
from actors.domain.messages.prizes import ApprovePrizes
from actors.domain.values import decimal_score, hundredths, parse_id

MAX_VALUE_BYTES: Final = 64 * 1024  # a create with 16 KiB of metadata fits four times over

_OfLife = Begin | Done | ExtraTime | Disqualify | Reinstate | Reopen | Reveal
Control = (
    Create
    | Join
    | Leave
    | _OfLife
    | Erase
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
_decoder = msgspec.json.Decoder(ScoreWire | ScoreEvent | Message)
_encode = msgspec.json.encode


def encode_message(message: ScoreWire | Message) -> bytes:
    """A record's value as JSON."""
    return _encode(message)


def encode_score(event_id: str, user_id: int, score: int) -> bytes:
    """A score's value, `score` in hundredths."""
    return _encode(ScoreWire(event_id=event_id, user_id=str(user_id), score=decimal_score(score)))


def encode_submission(
    event_id: str, user_id: int, score: int | None, subscore: int | None = None, result: bytes | None = None
) -> bytes:
    """A submission's value: a score, or an encoded result, and perhaps a subscore beside it. Numbers in hundredths."""
    wire = ScoreWire(
        event_id=event_id,
        user_id=str(user_id),
        score=UNSET if score is None else decimal_score(score),
        subscore=UNSET if subscore is None else decimal_score(subscore),
        result=UNSET if result is None else msgspec.Raw(result),
    )
    return _encode(wire)


def decode_value(value: bytes) -> ScoreWire | ScoreEvent | Message:
    """Read a record's value. Raises InvalidRecordError: `too_big` or `malformed`."""
    if len(value) > MAX_VALUE_BYTES:
        raise InvalidRecordError("too_big", f"expected at most {MAX_VALUE_BYTES} bytes, got {len(value)}")
    try:
        message: ScoreWire | ScoreEvent | Message = _decoder.decode(value)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRecordError("malformed", str(error)) from error
    return message


def score_values(wire: ScoreWire) -> tuple[int, int]:
    """(user id, hundredths) of a plain score. Raises InvalidRecordError `malformed`."""
    try:
        return parse_id(wire.user_id), hundredths(wire.score)  # type: ignore[arg-type]  # it refuses UNSET
    except (ValueError, ScoreValueError) as error:
        raise InvalidRecordError("malformed", str(error)) from error


class SubmissionValues(NamedTuple):
    """What a submission says beyond a plain score; numbers in hundredths, `result` as encoded, empty for none."""

    user_id: int
    score: int
    subscore: int | None
    result: bytes


def submission_values(wire: ScoreWire) -> SubmissionValues:
    """What any submission says. Raises InvalidRecordError `malformed`, also for a score beside a result, or neither."""
    if (wire.score is UNSET) == (wire.result is UNSET):
        raise InvalidRecordError("malformed", "expected a score or a result, and not both")
    try:
        score = 0 if wire.score is UNSET else hundredths(wire.score)
        subscore = None if wire.subscore is UNSET else hundredths(wire.subscore)
        user_id = parse_id(wire.user_id)
    except (ValueError, ScoreValueError) as error:
        raise InvalidRecordError("malformed", str(error)) from error
    return SubmissionValues(user_id, score, subscore, b"" if wire.result is UNSET else bytes(wire.result))
