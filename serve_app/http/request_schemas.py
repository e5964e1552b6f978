"""The bodies of requests as the contract writes them, and their way to the domain's Spec and Changes."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from actors.domain.messages import Changes, Spec
from actors.domain.values import MAX_ATTEMPTS, hundredths, parse_id, parse_time
from serve_app.http.bodies import BodyReader, Check, wrong_fields
from serve_app.http.problems import FieldError

MAX_METADATA_BYTES: Final = 16 * 1024
MAX_CAPACITY: Final = 100_000_000
MAX_DURATION_S: Final = 366 * 24 * 3600
FIELDS_OF_TYPE: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {  # needed and forbidden
    "scheduled": (("starts_at", "ends_at"), ("duration_s",)),
    "instant": (("capacity", "duration_s"), ("starts_at", "ends_at")),
}

TournamentName = Annotated[str, Meta(min_length=1, max_length=200)]
Capacity = Annotated[int, Meta(ge=1, le=MAX_CAPACITY)]
Duration = Annotated[float, Meta(ge=0.001, le=MAX_DURATION_S)]
EventId = Annotated[str, Meta(min_length=1, max_length=64)]


class NewTournament(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST /v1/tournaments`. Times are RFC 3339, durations in seconds."""

    name: TournamentName
    type: Literal["scheduled", "instant"]
    visibility: Literal["public", "private"] = "public"
    starts_at: str | None = None
    ends_at: str | None = None
    duration_s: Duration | None = None
    capacity: Capacity | None = None
    min_participants: Annotated[int, Meta(ge=0, le=MAX_CAPACITY)] = 0
    join_until: Literal["start", "end"] = "end"
    order: Literal["desc", "asc"] = "desc"
    score_policy: Literal["best", "last", "sum", "first"] = "best"
    ties: Literal["first", "shared", "dense"] = "first"
    max_attempts: Annotated[int, Meta(ge=1, le=MAX_ATTEMPTS)] | None = None
    placement: Literal["auto", "shared", "dedicated"] = "auto"
    metadata: dict[str, Any] = {}


class TournamentEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`PATCH /v1/tournaments/{id}`: absent fields stay as they are."""

    name: TournamentName | UnsetType = UNSET
    starts_at: str | UnsetType = UNSET
    ends_at: str | UnsetType = UNSET
    duration_s: Duration | UnsetType = UNSET
    capacity: Capacity | UnsetType = UNSET
    min_participants: Annotated[int, Meta(ge=0, le=MAX_CAPACITY)] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class JoinRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`PUT /v1/tournaments/{id}/participants/{user}`."""

    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    invite: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class Submission(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """`POST /v1/tournaments/{id}/scores`. `user_id` defaults to the caller for a player."""

    event_id: EventId
    score: float
    user_id: str | None = None


class BatchSubmission(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """One item of `POST /v1/scores`."""

    tournament_id: str
    event_id: EventId
    user_id: str
    score: float


def _duration_ms(seconds: float) -> int:
    milliseconds = round(seconds * 1000)
    if abs(milliseconds - seconds * 1000) > 1e-6 * max(1.0, seconds):
        raise ValueError(f"expected seconds with at most 3 decimals, got {seconds!r}")
    return milliseconds


def _metadata(metadata: dict[str, Any]) -> None:
    try:
        size = len(msgspec.json.encode(metadata))
    except (OverflowError, RecursionError, ValueError, TypeError):
        raise ValueError("expected JSON of modest depth") from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"expected at most {MAX_METADATA_BYTES} bytes of JSON, got {size}")


def _score(score: float) -> int:
    return hundredths(score) if math.isfinite(score) else hundredths(math.nan)


_CHECKS: Final[dict[str, Check]] = {
    "starts_at": parse_time,
    "ends_at": parse_time,
    "duration_s": _duration_ms,
    "metadata": _metadata,
}
read_new_tournament: Final = BodyReader(NewTournament, _CHECKS).read
read_edit: Final = BodyReader(TournamentEdit, _CHECKS).read
read_join: Final = BodyReader(JoinRequest).read
read_submission: Final = BodyReader(Submission, {"score": _score, "user_id": parse_id}).read
decode_submission: Final = msgspec.json.Decoder(Submission).decode
batch_item_decoder: Final = msgspec.json.Decoder(BatchSubmission)
batch_array_decoder: Final = msgspec.json.Decoder(list[BatchSubmission])


def spec_of(new: NewTournament, now_ms: int) -> Spec:
    """The domain's spec. Raises Problem 422 with every rule that is broken; `now_ms` decides what is past."""
    errors = _spec_errors(new, now_ms)
    if errors:
        raise wrong_fields(errors)
    return Spec(
        name=new.name,
        type=new.type,
        visibility=new.visibility,
        starts_ms=None if new.starts_at is None else parse_time(new.starts_at),
        ends_ms=None if new.ends_at is None else parse_time(new.ends_at),
        duration_ms=None if new.duration_s is None else _duration_ms(new.duration_s),
        capacity=new.capacity,
        min_participants=new.min_participants,
        join_until=new.join_until,
        order=new.order,
        score_policy=new.score_policy,
        ties=new.ties,
        max_attempts=MAX_ATTEMPTS if new.max_attempts is None else new.max_attempts,
        placement=new.placement,
        metadata=new.metadata,
    )


def _spec_errors(new: NewTournament, now_ms: int) -> list[FieldError]:
    needed, forbidden = FIELDS_OF_TYPE[new.type]
    missing = f"expected this field in a tournament of type {new.type}"
    errors = [FieldError(name, missing) for name in needed if getattr(new, name) is None]
    surplus = f"not a field of a tournament of type {new.type}"
    errors.extend(FieldError(name, surplus) for name in forbidden if getattr(new, name) is not None)
    errors.extend(_end_errors(new.starts_at, new.ends_at, now_ms))
    if new.capacity is not None and new.min_participants > new.capacity:
        errors.append(FieldError("min_participants", f"expected at most the capacity of {new.capacity}"))
    return errors


def _end_errors(starts_at: str | None, ends_at: str | None, now_ms: int) -> list[FieldError]:
    if ends_at is None:
        return []
    ends_ms = parse_time(ends_at)
    if starts_at is not None and ends_ms <= parse_time(starts_at):
        return [FieldError("ends_at", "expected an end after the start")]
    if ends_ms <= now_ms:
        return [FieldError("ends_at", "expected an end in the future")]
    return []


def changes_of(edit: TournamentEdit, now_ms: int) -> Changes:
    """The domain's changes. Raises Problem 422 for an empty edit or times that cannot hold together."""
    given = {name: value for name in edit.__struct_fields__ if (value := getattr(edit, name)) is not UNSET}
    if not given:
        raise wrong_fields([FieldError("", "expected at least one field to edit")])
    errors = _end_errors(given.get("starts_at"), given.get("ends_at"), now_ms)
    if errors:
        raise wrong_fields(errors)
    return Changes(
        name=given.get("name"),
        starts_ms=parse_time(given["starts_at"]) if "starts_at" in given else None,
        ends_ms=parse_time(given["ends_at"]) if "ends_at" in given else None,
        duration_ms=_duration_ms(given["duration_s"]) if "duration_s" in given else None,
        capacity=given.get("capacity"),
        min_participants=given.get("min_participants"),
        metadata=given.get("metadata"),
    )
