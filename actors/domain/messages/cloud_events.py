"""Scores as CloudEvents 1.0 (https://github.com/cloudevents/spec): their JSON, and the record that one stands for.

`subject` is the tournament, `data` holds the score. An event is told from others by `source` and `id` together, as the specification
has it; so these two make the event id, and a second copy of an event counts for nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from actors.domain.errors import InvalidRecordError
from actors.domain.messages.control import ScoreWire
from actors.domain.messages.fields import DecimalId, ResultObject, ScoreNumber
from actors.domain.values import derived_event_id

SUBMITTED: Final = "palio.score.submitted"
MAX_ATTRIBUTE_CHARS: Final = 2048
Attribute = Annotated[str, Meta(min_length=1, max_length=MAX_ATTRIBUTE_CHARS)]
_encode: Final = msgspec.json.encode


class ScoreData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened: a `score`, or a `result` from which the tournament computes it; beside either a `subscore`, where it has one."""

    user_id: DecimalId
    score: ScoreNumber | UnsetType = UNSET
    subscore: ScoreNumber | UnsetType = UNSET
    result: ResultObject | UnsetType = UNSET


class ScoreEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=SUBMITTED):
    """An event in the JSON format. Attributes that it may have beside these, and extensions, are not looked at."""

    specversion: Literal["1.0"]
    id: Attribute
    source: Attribute
    subject: Attribute | UnsetType = UNSET
    data: ScoreData | UnsetType = UNSET
    data_base64: str | UnsetType = UNSET

    @property
    def event_id(self) -> str:
        """What it counts by."""
        return derived_event_id("ce", self.source, self.id)


_data: Final = msgspec.json.Decoder(ScoreData)
_any: Final = msgspec.json.Decoder(msgspec.Raw)


def event_data(event: ScoreEvent) -> ScoreData:
    """The data of an event. Raises ValueError, among them msgspec's ValidationError, where it is none."""
    if event.data is not UNSET:
        return event.data
    if event.data_base64 is UNSET:
        raise ValueError("expected this field")
    try:
        return _data.decode(base64.b64decode(event.data_base64, validate=True))
    except binascii.Error as error:
        raise ValueError(f"expected Base64: {error}") from None


def event_wire(event: ScoreEvent) -> ScoreWire:
    """The record's message that an event stands for. Raises InvalidRecordError `malformed`."""
    try:
        data = event_data(event)
    except (ValueError, RecursionError) as error:
        raise InvalidRecordError("malformed", f"data: {error}") from error
    return ScoreWire(
        event_id=event.event_id, user_id=data.user_id, score=data.score, subscore=data.subscore, result=data.result
    )


def structured(attributes: Mapping[str, str], data: bytes) -> bytes:
    """An event whose attributes and data came apart (the binary content mode) in the JSON format. Data that is no JSON becomes Base64."""
    if not data:
        return _encode(attributes)
    try:
        return _encode({**attributes, "data": _any.decode(data)})
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _encode({**attributes, "data_base64": base64.b64encode(data).decode()})
