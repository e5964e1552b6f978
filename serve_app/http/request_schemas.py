"""The bodies of requests as the contract writes them, and their way to the domain's Spec and Changes."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from actors.domain.messages import MAX_USES, Changes, Custom, Display, EndsWhen, Penalty, Scoring, Spec, Subscore, Teams
from actors.domain.messages.scoring import BOARD_PATTERN, MAX_BOARDS, Boards
from actors.domain.messages.spec import Cohorts, League, Recurrence
from actors.domain.messages.spec_rules import spec_problems
from actors.domain.prizes.rules import PrizeRules
from actors.domain.scoring.compute import MAX_RESULT_BYTES
from actors.domain.scoring.custom import function_problem
from actors.domain.series.family import MAX_OPEN
from actors.domain.series.schedule import MAX_CRON_CHARS, cron_problem
from actors.domain.series.zones import zone
from actors.domain.texts import check_name, normal_name
from actors.domain.values import MAX_ATTEMPTS, hundredths, parse_id, parse_time
from serve_app.http.bodies import BodyReader, Check, wrong_fields
from serve_app.http.problems import FieldError, Problem

T = TypeVar("T")
V = TypeVar("V")
_canonical: Final = msgspec.json.Encoder(order="sorted").encode
MAX_METADATA_BYTES: Final = 16 * 1024
MAX_METADATA_DEPTH: Final = 32  # objects and lists within each other, the metadata itself included
MAX_METADATA_KEYS: Final = 1000  # of all its objects together
MAX_TOURNAMENT_NAME: Final = 200
MAX_PLAYER_NAME: Final = 64
MAX_REASON: Final = 200
MAX_CAPACITY: Final = 100_000_000
MAX_DURATION_S: Final = 366 * 24 * 3600
ID_PATTERN: Final = "^[1-9][0-9]{0,18}$"

# Names are counted as they are kept, composed; so their lengths are documented here and judged by `check_name`.
TournamentName = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_TOURNAMENT_NAME})]
PlayerName = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_PLAYER_NAME})]
Capacity = Annotated[int, Meta(ge=1, le=MAX_CAPACITY)]
Duration = Annotated[float, Meta(ge=0.001, le=MAX_DURATION_S)]
EventId = Annotated[str, Meta(min_length=1, max_length=64)]
# These are judged by `parse_time`, `parse_id` and `hundredths`, whose errors say more.
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Id = Annotated[str, Meta(extra_json_schema={"pattern": ID_PATTERN})]
Score = Annotated[float, Meta(extra_json_schema={"minimum": -99_999_999.99, "maximum": 99_999_999.99})]


OnlyTrue = Annotated[bool, Meta(extra_json_schema={"const": True})]  # as an enum generators of clients do not know it


class EarlyEnd(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`ends_when`: `{"all_done": true}`, or `{"target_score": 500, "count": 3}`."""

    all_done: OnlyTrue | UnsetType = UNSET
    target_score: Score | UnsetType = UNSET
    count: Annotated[int, Meta(ge=1, le=MAX_CAPACITY)] | UnsetType = UNSET


class NewRecurrence(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Opens a tournament at each time of a cron expression (minute, hour, day of month, month, day of week) in a time zone."""

    cron: Annotated[str, Meta(min_length=1, max_length=MAX_CRON_CHARS)]
    time_zone: Annotated[str, Meta(min_length=1, max_length=64)]
    duration_s: Duration
    ahead: Annotated[int, Meta(ge=1, le=MAX_OPEN)] = 1


GroupsByBoard = Annotated[
    dict[str, PlayerName],
    Meta(max_length=MAX_BOARDS, description="The user's group in each of the tournament's boards."),
]


class NewTournament(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST /v1/tournaments`. Times are RFC 3339, durations in seconds."""

    name: TournamentName
    type: Literal["scheduled", "instant"]
    visibility: Literal["public", "private"] = "public"
    starts_at: Time | None = None
    ends_at: Time | None = None
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
    # What came later is UNSET where it is left out: so the digest of a body without it stays as it was.
    window_s: Duration | UnsetType = UNSET
    display: Display | UnsetType = UNSET
    prizes: PrizeRules | UnsetType = UNSET
    recurrence: NewRecurrence | UnsetType = UNSET
    cohorts: Cohorts | UnsetType = UNSET
    league: League | UnsetType = UNSET
    scoring: Scoring | UnsetType = UNSET
    subscore: Subscore | UnsetType = UNSET
    boards: Boards | UnsetType = UNSET
    teams: Teams | UnsetType = UNSET
    freeze_s: Duration | UnsetType = UNSET
    ends_when: EarlyEnd | UnsetType = UNSET


class BatchCreate(NewTournament, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A line of `POST /v1/tournaments` as NDJSON: `idempotency_key` is what the header of that name is to a create alone."""

    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class TournamentEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`PATCH /v1/tournaments/{id}`: absent fields stay as they are; null takes away what may be left out of a create."""

    name: TournamentName | UnsetType = UNSET
    starts_at: Time | UnsetType = UNSET
    ends_at: Time | UnsetType = UNSET
    duration_s: Duration | UnsetType = UNSET
    capacity: Capacity | UnsetType = UNSET
    min_participants: Annotated[int, Meta(ge=0, le=MAX_CAPACITY)] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    window_s: Duration | UnsetType | None = UNSET
    display: Display | UnsetType | None = UNSET
    prizes: PrizeRules | UnsetType | None = UNSET
    freeze_s: Duration | UnsetType | None = UNSET
    ends_when: EarlyEnd | UnsetType | None = UNSET


class JoinRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`PUT /v1/tournaments/{id}/participants/{user}`."""

    name: PlayerName | None = None
    invite: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    attributes: GroupsByBoard | UnsetType = UNSET


class Disqualification(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST /v1/tournaments/{id}/participants/{user}/disqualify`: the reason is told to that player, to services and operators."""

    reason: Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_REASON})]


class ParticipantEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`PATCH /v1/tournaments/{id}/participants/{user}`: `extra_s` is how much longer this participant's scores count, in all."""

    extra_s: Annotated[float, Meta(ge=0, le=MAX_DURATION_S)]


class Reopening(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST /v1/tournaments/{id}/reopen`. `ends_at` may be left out of one that was cancelled before its start."""

    ends_at: Time | UnsetType = UNSET


class PlainSubmission(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """A `Submission` of nothing but a score, as most are: read without looking for the rest."""

    event_id: EventId
    score: Score
    user_id: Id | None = None


class Submission(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """`POST /v1/tournaments/{id}/scores`: a `score`, or, where the tournament has `scoring`, a `result` from which it computes the score;
    beside either a `subscore` where the tournament has one and does not compute it. `user_id` defaults to the caller for a player.
    """

    event_id: EventId
    score: Score | UnsetType = UNSET
    subscore: Score | UnsetType = UNSET
    result: dict[str, Any] | UnsetType = UNSET
    user_id: Id | None = None

    @property
    def plain(self) -> bool:
        """Nothing but a score, or not even that."""
        return self.result is UNSET and self.subscore is UNSET


class LiveSubmission(Submission, kw_only=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """`submit` on a live socket."""

    tournament: Id


class BatchSubmission(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """One item of `POST /v1/scores`."""

    tournament_id: Id
    event_id: EventId
    user_id: Id
    score: Score | UnsetType = UNSET
    subscore: Score | UnsetType = UNSET
    result: dict[str, Any] | UnsetType = UNSET


class InvitationRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`POST /v1/tournaments/{id}/invitations`: for one user, or for whoever brings it, `uses` times in all."""

    user_id: Id | None = None
    uses: Annotated[int, Meta(ge=1, le=MAX_USES)] = 1
    expires_at: Time | None = None


class BatchJoin(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """One item of `POST /v1/participants`."""

    tournament_id: Id
    user_id: Id
    name: PlayerName | None = None
    attributes: GroupsByBoard | UnsetType = UNSET


def duration_ms(seconds: float) -> int:
    """Seconds as milliseconds. Raises ValueError for more than 3 decimals."""
    milliseconds = round(seconds * 1000)
    if abs(milliseconds - seconds * 1000) > 1e-6 * max(1.0, seconds):
        raise ValueError(f"expected seconds with at most 3 decimals, got {seconds!r}")
    return milliseconds


def _metadata(metadata: dict[str, Any]) -> None:
    level: list[Any] = [metadata]
    depth = keys = 0
    while level:
        depth += 1
        if depth > MAX_METADATA_DEPTH:
            raise ValueError(f"expected at most {MAX_METADATA_DEPTH} levels of objects and lists")
        keys += sum(len(value) for value in level if isinstance(value, dict))
        if keys > MAX_METADATA_KEYS:
            raise ValueError(f"expected at most {MAX_METADATA_KEYS} keys")
        inner = (item for value in level for item in (value.values() if isinstance(value, dict) else value))
        level = [item for item in inner if isinstance(item, dict | list)]
    size = len(msgspec.json.encode(metadata))
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"expected at most {MAX_METADATA_BYTES} bytes of JSON, got {size}")


def check_attributes(attributes: dict[str, str]) -> None:
    """Raises ValueError for a group whose name is none; which boards there are the fold knows."""
    for board, group in attributes.items():
        if not re.fullmatch(BOARD_PATTERN, board):
            raise ValueError(f"expected names of boards, got {board[:40]!r}")
        try:
            check_name(group, max_chars=MAX_PLAYER_NAME)
        except ValueError as error:
            raise ValueError(f"{board}: {error}") from None


def normal_attributes(attributes: dict[str, str] | UnsetType) -> dict[str, str] | UnsetType:
    """Groups as they are kept: two ways to write the same name are one group."""
    return UNSET if attributes is UNSET else {board: normal_name(group) for board, group in attributes.items()}


def check_result(result: dict[str, Any]) -> None:
    """Raises ValueError for a result that no tournament takes."""
    size = len(msgspec.json.encode(result))
    if size > MAX_RESULT_BYTES:
        raise ValueError(f"expected at most {MAX_RESULT_BYTES} bytes of JSON, got {size}")


def _score(score: float) -> int:
    return hundredths(score) if math.isfinite(score) else hundredths(math.nan)


def _ends_when(given: EarlyEnd) -> EndsWhen:
    if given.all_done is False or (given.all_done is UNSET and given.target_score is UNSET):
        raise ValueError("expected all_done, which is true, or target_score")
    if given.all_done is not UNSET and (given.target_score is not UNSET or given.count is not UNSET):
        raise ValueError("expected either all_done or target_score, and count with target_score alone")
    return EndsWhen(
        all_done=given.all_done is True,
        target_score=None if given.target_score is UNSET else _score(given.target_score),
        count=1 if given.count is UNSET else given.count,
    )


_CHECKS: Final[dict[str, Check]] = {
    "name": functools.partial(check_name, max_chars=MAX_TOURNAMENT_NAME),
    "starts_at": parse_time,
    "ends_at": parse_time,
    "duration_s": duration_ms,
    "window_s": duration_ms,
    "freeze_s": duration_ms,
    "ends_when": _ends_when,
    "metadata": _metadata,
}
_invitation: Final = BodyReader(InvitationRequest, {"user_id": parse_id, "expires_at": parse_time})
_new_tournament: Final = BodyReader(
    NewTournament, {**_CHECKS, "recurrence": lambda given: duration_ms(given.duration_s)}
)
read_edit: Final = BodyReader(TournamentEdit, _CHECKS).read
read_disqualification: Final = BodyReader(
    Disqualification, {"reason": functools.partial(check_name, max_chars=MAX_REASON)}
).read
read_participant_edit: Final = BodyReader(ParticipantEdit, {"extra_s": duration_ms}).read
read_reopening: Final = BodyReader(Reopening, {"ends_at": parse_time}).read
read_join: Final = BodyReader(
    JoinRequest,
    {"name": functools.partial(check_name, max_chars=MAX_PLAYER_NAME), "attributes": check_attributes},
).read
_SUBMITTED: Final[dict[str, Check]] = {"score": _score, "subscore": _score, "user_id": parse_id, "result": check_result}
_submission: Final = BodyReader(Submission, _SUBMITTED)
read_submission: Final = _submission.read
check_submission: Final = _submission.check
read_live_submission: Final = BodyReader(LiveSubmission, _SUBMITTED).read
decode_plain_submission: Final = msgspec.json.Decoder(PlainSubmission).decode


def read_invitation(body: bytes, now_ms: int) -> InvitationRequest:
    """The body of an invitation; `now_ms` decides what is past. Raises Problem 400, 422."""
    asked = _invitation.read(body)
    errors = []
    if asked.user_id is not None and asked.uses != 1:
        errors.append(FieldError("uses", "expected 1 where the invitation is for one user"))
    if asked.expires_at is not None and parse_time(asked.expires_at) <= now_ms:
        errors.append(FieldError("expires_at", "expected a time in the future"))
    if errors:
        raise wrong_fields(errors)
    return asked


class AskedTournament(NamedTuple):
    """What the body of a create asks for. `problem` is what is wrong with it, None if nothing is.

    `digest` tells it from other bodies, whatever their spaces and the order of their fields. `spec` is None where no tournament can ever
    have been made of such a body; else it may be what an earlier version took, or what was right before its end had passed.
    """

    spec: Spec | None
    digest: str
    problem: Problem | None


def read_new_tournament(body: bytes, now_ms: int) -> AskedTournament:
    """Read the body of a create; `now_ms` decides what is past."""
    try:
        new = _new_tournament.decode(body)
    except Problem as problem:
        return AskedTournament(None, "", problem)
    try:
        _new_tournament.check(new)
        spec = _spec_of(new)
        _judge(spec, now_ms)
    except Problem as problem:
        return _wrong(new, problem)
    return AskedTournament(spec, _digest(new), None)


def _wrong(new: NewTournament, problem: Problem) -> AskedTournament:
    try:
        spec = msgspec.json.decode(msgspec.json.encode(_spec_of(new)), type=Spec)
        return AskedTournament(spec, _digest(new), problem)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return AskedTournament(None, "", problem)


def _digest(new: NewTournament) -> str:
    """Of the body as sent, with the defaults of what was left out. Creates keep it in the log: what it is made of may not change."""
    return hashlib.blake2b(_canonical(new), digest_size=16).hexdigest()


def _spec_of(new: NewTournament) -> Spec:
    return Spec(
        name=normal_name(new.name),
        type=new.type,
        visibility=new.visibility,
        starts_ms=None if new.starts_at is None else parse_time(new.starts_at),
        ends_ms=None if new.ends_at is None else parse_time(new.ends_at),
        duration_ms=None if new.duration_s is None else duration_ms(new.duration_s),
        capacity=new.capacity,
        min_participants=new.min_participants,
        join_until=new.join_until,
        order=new.order,
        score_policy=new.score_policy,
        ties=new.ties,
        max_attempts=MAX_ATTEMPTS if new.max_attempts is None else new.max_attempts,
        placement=new.placement,
        metadata=new.metadata,
        window_ms=_later(new.window_s, duration_ms),
        freeze_ms=_later(new.freeze_s, duration_ms),
        ends_when=_later(new.ends_when, _ends_when),
        display=new.display,
        prizes=new.prizes or UNSET,
        scoring=new.scoring,
        subscore=_subscore(new),
        boards=new.boards,
        teams=new.teams,
        recurrence=_later(new.recurrence, _recurrence),
        cohorts=new.cohorts,
        league=new.league,
    )


def _recurrence(given: NewRecurrence) -> Recurrence:
    return Recurrence(
        cron=given.cron,
        time_zone=given.time_zone,
        duration_ms=duration_ms(given.duration_s),
        ahead=given.ahead,
    )


def _subscore(new: NewTournament) -> Subscore | UnsetType:
    """As asked for; scoring by penalty cannot be without, the fewest minutes first."""
    if new.subscore is UNSET and isinstance(new.scoring, Penalty):
        return Subscore(order="asc")
    return new.subscore


def _later(given: T | UnsetType, read: Callable[[T], V]) -> V | UnsetType:
    """A field that came later: UNSET where it is left out."""
    return UNSET if isinstance(given, UnsetType) else read(given)


def _changed(given: T | UnsetType | None, read: Callable[[T], V]) -> V | UnsetType | None:
    """The change of a field that came later: None takes it away."""
    return None if given is None else _later(given, read)


def _judge(spec: Spec, now_ms: int) -> None:
    """Raises Problem 422 with every rule that is broken."""
    errors = [FieldError(*problem) for problem in spec_problems(spec)]
    if isinstance(spec.scoring, Custom) and (unknown := function_problem(spec.scoring)):
        errors.append(FieldError("scoring.function", unknown))
    wrong = {error.path for error in errors}
    if spec.recurrence is not UNSET:
        errors += _wrong_recurrence(spec.recurrence)
    if "ends_at" not in wrong:
        errors += _past_end(spec.ends_ms, now_ms)
    if (
        spec.starts_ms is not None
        and spec.starts_ms <= now_ms
        and spec.min_participants
        and "min_participants" not in wrong
    ):
        detail = (
            "expected 0 where the start has passed: the tournament would be cancelled at once, as nobody has joined"
        )
        errors.append(FieldError("min_participants", detail))
    if errors:
        raise wrong_fields(errors)


def _wrong_recurrence(recurrence: Recurrence) -> list[FieldError]:
    errors = []
    if problem := cron_problem(recurrence.cron):
        errors.append(FieldError("recurrence.cron", problem))
    try:
        zone(recurrence.time_zone)
    except ValueError as error:
        errors.append(FieldError("recurrence.time_zone", str(error)))
    return errors


def _past_end(ends_ms: int | None, now_ms: int) -> list[FieldError]:
    past = ends_ms is not None and ends_ms <= now_ms
    return [FieldError("ends_at", "expected an end in the future")] if past else []


def changes_of(edit: TournamentEdit, now_ms: int) -> Changes:
    """The domain's changes. Raises Problem 422 for an empty edit or an end that has passed; the rest is the fold's to judge."""
    given = {name: value for name in edit.__struct_fields__ if (value := getattr(edit, name)) is not UNSET}
    if not given:
        raise wrong_fields([FieldError("", "expected at least one field to edit")])
    ends_ms = parse_time(given["ends_at"]) if "ends_at" in given else None
    if errors := _past_end(ends_ms, now_ms):
        raise wrong_fields(errors)
    return Changes(
        name=normal_name(given["name"]) if "name" in given else None,
        starts_ms=parse_time(given["starts_at"]) if "starts_at" in given else None,
        ends_ms=ends_ms,
        duration_ms=duration_ms(given["duration_s"]) if "duration_s" in given else None,
        capacity=given.get("capacity"),
        min_participants=given.get("min_participants"),
        metadata=given.get("metadata"),
        window_ms=_changed(edit.window_s, duration_ms),
        freeze_ms=_changed(edit.freeze_s, duration_ms),
        ends_when=_changed(edit.ends_when, _ends_when),
        display=edit.display,
        prizes=None if edit.prizes == () else edit.prizes,
    )
