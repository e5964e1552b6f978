"""What records say: the JSON of the log's values.

A score is anyone's to produce; everything else but `tick` is a control record of Palio's own and signed (`actors.domain.signing`).
Reading is strict: unknown fields, wrong types and values out of range raise InvalidRecordError with reason `malformed`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from actors.domain.errors import InvalidRecordError, ScoreValueError
from actors.domain.values import LATEST_MS, MAX_ATTEMPTS, decimal_score, hundredths, parse_id

MAX_VALUE_BYTES: Final = 64 * 1024  # a create with 16 KiB of metadata fits four times over
RULES_VERSION: Final = 2  # of the fold, fixed for life by the create; `actors.domain.fold` says what differs
LONGEST_MS: Final = 3_155_760_000_000  # 100 years

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Millis = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
Duration = Annotated[int, msgspec.Meta(ge=1, le=LONGEST_MS)]


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tournament as created: times in ms since 1970, durations in ms, `max_attempts` null became the most."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    type: Literal["scheduled", "instant"]
    visibility: Literal["public", "private"] = "public"
    starts_ms: Millis | None = None
    ends_ms: Millis | None = None
    duration_ms: Duration | None = None
    capacity: Annotated[int, msgspec.Meta(ge=1)] | None = None
    min_participants: Annotated[int, msgspec.Meta(ge=0)] = 0
    join_until: Literal["start", "end"] = "end"
    order: Literal["desc", "asc"] = "desc"
    score_policy: Literal["best", "last", "sum", "first"] = "best"
    ties: Literal["first", "shared", "dense"] = "first"
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=MAX_ATTEMPTS)] = MAX_ATTEMPTS
    placement: Literal["auto", "shared", "dedicated"] = "auto"
    metadata: dict[str, Any] = {}


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an edit sets; absent fields stay as they are."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    starts_ms: Millis | None = None
    ends_ms: Millis | None = None
    duration_ms: Duration | None = None
    capacity: Annotated[int, msgspec.Meta(ge=1)] | None = None
    min_participants: Annotated[int, msgspec.Meta(ge=0)] | None = None
    metadata: dict[str, Any] | None = None


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    v: Literal[1] = 1


class ScoreWire(_Message, frozen=True, kw_only=True, tag="score"):
    """A score as produced: ids are decimal strings, the score a JSON number."""

    event_id: Token
    user_id: str
    score: float


class Create(_Message, frozen=True, kw_only=True, tag="create"):
    """Begins a tournament. `request_digest` tells a repeat from another create under the same id."""

    command_id: Token
    creator: str
    created_ms: Millis
    spec: Spec
    dedicated: bool
    salt: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2}){1,64}$")]  # hex; the key of the digests
    request_digest: str
    rules_version: Annotated[int, msgspec.Meta(ge=1)] = RULES_VERSION


class Join(_Message, frozen=True, kw_only=True, tag="join", omit_defaults=True):
    """A user takes part. `invited`: a service vouches for the user, who may join a private tournament, or again after being removed."""

    command_id: Token
    user_id: str
    name: Name | None = None
    invited: bool = False


class Leave(_Message, frozen=True, kw_only=True, tag="leave"):
    """A user leaves. `removed`: by a service's doing, so that only a service brings the user back; absent in records of earlier versions."""

    command_id: Token
    user_id: str
    removed: bool | msgspec.UnsetType = msgspec.UNSET


class Start(_Message, frozen=True, kw_only=True, tag="start"):
    """An operator starts it now."""

    command_id: Token


class End(_Message, frozen=True, kw_only=True, tag="end"):
    """An operator ends it now."""

    command_id: Token


class Cancel(_Message, frozen=True, kw_only=True, tag="cancel"):
    """An operator cancels it."""

    command_id: Token


class Edit(_Message, frozen=True, kw_only=True, tag="edit", omit_defaults=True):
    """An edit; `if_version` None means whatever the version."""

    command_id: Token
    changes: Changes
    if_version: int | None = None


class Tick(_Message, frozen=True, kw_only=True, tag="tick"):
    """Only its append time matters."""


class Claim(_Message, frozen=True, kw_only=True, tag="claim"):
    """An owner takes a scope (`partition-<p>` or `tournament-<id>`); the record's offset is the epoch."""

    command_id: Token
    scope: str
    owner: str
    instance: str


Control = Create | Join | Leave | Start | End | Cancel | Edit | Claim
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
