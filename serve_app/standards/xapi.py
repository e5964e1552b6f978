"""xAPI statements (1.0.3, and 2.0 as IEEE 9274.1.1): read as strictly as the standard has it, and which of them are scores.

A statement is a score if its verb is one of VERBS, its activity is a tournament, and its result has a score; all others are statements
that a learning record store would keep, and Palio does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from serve_app.http.batches import MAX_BATCH
from serve_app.http.problems import FieldError
from serve_app.standards.foreign_ids import ForeignIds
from serve_app.standards.reading import decoded, exact, rounded_hundredths, wrong

_COUNTED: Final = (
    "completed",
    "passed",
    "failed",
    "scored",
    "answered",
)  # the last is all that a single question of H5P says
VERBS: Final = {f"http://adlnet.gov/expapi/verbs/{verb}": verb for verb in _COUNTED}
LEAST_OWN_DIGITS: Final = 16
BAD: Final = 400  # the standard's status for a statement that is none
_OWN_ID: Final = re.compile(r"(?:^|[/:#])([1-9][0-9]{0,18})$", re.ASCII)
_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_DURATION: Final = re.compile(
    rf"P(?=[\dT])(?:{_NUMBER}W|(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?)",
    re.ASCII,
)
_SECONDS: Final = (
    7 * 86_400,
    None,
    None,
    86_400,
    3600,
    60,
    1,
)  # of each number in it; of years and months nobody can say

UUID: Final = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
Uuid = Annotated[str, Meta(pattern=UUID)]
Iri = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9+.-]*:", max_length=2048)]
Unread = dict[str, msgspec.Raw]


class StatementAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"home_page": "homePage"}):
    """An account on some system."""

    home_page: Iri
    name: str


class StatementActor(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"object_type": "objectType"}
):
    """An agent has one of `mbox`, `mbox_sha1sum`, `openid` and `account`; a group may have `member` instead."""

    object_type: Literal["Agent", "Group"] = "Agent"
    name: str | UnsetType = UNSET
    mbox: Annotated[str, Meta(pattern="^mailto:[^@]+@[^@]+$")] | UnsetType = UNSET
    mbox_sha1sum: Annotated[str, Meta(pattern="^[0-9a-fA-F]{40}$")] | UnsetType = UNSET
    openid: Iri | UnsetType = UNSET
    account: StatementAccount | UnsetType = UNSET
    member: list[Unread] | UnsetType = UNSET

    def names(self) -> list[tuple[str, ...]]:
        """By what it is identified; of an account with and without its home page."""
        plain = (self.mbox, self.mbox_sha1sum, self.openid)
        found: list[tuple[str, ...]] = [(name,) for name in plain if name is not UNSET]
        if self.account is not UNSET:
            found.append((f"{self.account.home_page}|{self.account.name}", self.account.name))
        return found


class StatementVerb(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was done."""

    id: Iri
    display: dict[str, str] | UnsetType = UNSET


class StatementObject(msgspec.Struct, frozen=True, rename={"object_type": "objectType"}):
    """To what it was done; only an activity can be a tournament, and only its `id` is looked at."""

    object_type: Literal["Activity", "Agent", "Group", "StatementRef", "SubStatement"] = "Activity"
    id: str | UnsetType = UNSET


class StatementScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How well: `scaled` from -1 to 1; `raw` from `min` to `max`, where these are given."""

    scaled: float | UnsetType = UNSET
    raw: float | UnsetType = UNSET
    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET


class StatementResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of it; `duration` as ISO 8601 has it, `PT1M30.5S`."""

    score: StatementScore | UnsetType = UNSET
    success: bool | UnsetType = UNSET
    completion: bool | UnsetType = UNSET
    response: str | UnsetType = UNSET
    duration: str | UnsetType = UNSET
    extensions: Unread | UnsetType = UNSET


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who did what. What stands in `context`, `authority` and `attachments` is not looked at."""

    id: Uuid | UnsetType = UNSET
    actor: StatementActor
    verb: StatementVerb
    object: StatementObject
    result: StatementResult | UnsetType = UNSET
    context: Unread | UnsetType = UNSET
    timestamp: str | UnsetType = UNSET
    stored: str | UnsetType = UNSET
    authority: Unread | UnsetType = UNSET
    version: Annotated[str, Meta(pattern="^(1\\.0(\\..+)?|2\\.0\\..+)$")] | UnsetType = UNSET
    attachments: list[Unread] | UnsetType = UNSET


class Scored(NamedTuple):
    """What a statement says of a tournament: `score` and `duration` (of seconds; None without one) in hundredths."""

    tournament: str
    user_id: int
    verb: str
    score: int
    duration: int | None


_one: Final = msgspec.json.Decoder(Statement)
_several: Final = msgspec.json.Decoder(list[Statement])


def read_statement(body: bytes) -> Statement:
    """One statement. Raises Problem 400."""
    statement = decoded(_one, body, BAD)
    if errors := _problems(statement, ""):
        raise wrong(errors, BAD)
    return statement


def read_statements(body: bytes) -> list[Statement]:
    """One statement, or an array of them. Raises Problem 400, also for two with one id, and for over 1,000."""
    if body.lstrip()[:1] != b"[":
        return [read_statement(body)]
    statements = decoded(_several, body, BAD)
    if len(statements) > MAX_BATCH:
        raise wrong([FieldError("", f"expected at most {MAX_BATCH} statements, got {len(statements)}")], BAD)
    errors: list[FieldError] = []
    ids: set[str] = set()
    for index, statement in enumerate(statements):
        errors += _problems(statement, f"[{index}].")
        if statement.id is not UNSET:
            if statement.id.lower() in ids:
                errors.append(FieldError(f"[{index}].id", "expected another id: a statement before has this one"))
            ids.add(statement.id.lower())
    if errors:
        raise wrong(errors[:50], BAD)
    return statements


def scored(statement: Statement, ids: ForeignIds, path: str = "") -> Scored | str:
    """The score that a statement is, or why it is none: `verb`, `activity`, `no_score`, `not_completed`.

    The score is `raw`, without one `scaled` in per cent; rounded to 2 decimals. Raises Problem 400 for a score of nobody known, or out of
    range; `path` is where the statement stands.
    """
    verb, result = VERBS.get(statement.verb.id), statement.result
    if verb is None:
        return "verb"
    tournament = tournament_of(statement.object, ids)
    if tournament is None:
        return "activity"
    if result is UNSET or result.score is UNSET or (result.score.raw is UNSET and result.score.scaled is UNSET):
        return "no_score"
    if result.completion is False:
        return "not_completed"
    user_id = next((user for names in statement.actor.names() if (user := ids.user(*names)) is not None), None)
    if user_id is None or statement.actor.object_type == "Group":
        raise wrong(
            [FieldError(f"{path}actor", "expected an agent whose account's name is a user id, or that is mapped")], BAD
        )
    raw, scaled = result.score.raw, result.score.scaled
    score = exact(raw) if raw is not UNSET else exact(scaled) * 100 if scaled is not UNSET else Fraction(0)
    try:
        hundredths = rounded_hundredths(score)
    except ValueError as error:
        raise wrong([FieldError(f"{path}result.score.raw", str(error))], BAD) from None
    return Scored(tournament, user_id, verb, hundredths, _duration(result, path))


def tournament_of(activity: StatementObject, ids: ForeignIds) -> str | None:
    """The tournament that an activity is: as the file has it, else by the decimal id that its own id ends in; None if it is none."""
    if activity.object_type != "Activity" or activity.id is UNSET:
        return None
    if (mapped := ids.activities.get(activity.id)) is not None:
        return mapped
    matched = _OWN_ID.search(activity.id)
    return None if matched is None else matched[1]


def is_others(tournament: str) -> bool:
    """Whether an id of no tournament is so short that it is another system's number, as in `https://lms.example/xapi/activity/34`.

    Palio's ids are hashes: of ten thousand one is so short, and that one counts while it exists.
    """
    return len(tournament) < LEAST_OWN_DIGITS


def duration_s(text: str) -> Fraction | None:
    """An ISO 8601 duration in seconds, None where it has years or months. Raises ValueError for what is none."""
    matched = _DURATION.fullmatch(text)
    if matched is None or len(text) > 100:
        raise ValueError(f"expected an ISO 8601 duration such as PT1M30.5S, got {text[:40]!r}")
    total = Fraction(0)
    for number, seconds in zip(matched.groups(), _SECONDS, strict=True):
        if number is not None:
            if seconds is None:
                return None
            total += Fraction(Decimal(number)) * seconds
    return total


def _duration(result: StatementResult, path: str) -> int | None:
    """Hundredths of a result's seconds. Raises Problem 400 for more than a score can be."""
    if result.duration is UNSET or (seconds := duration_s(result.duration)) is None:
        return None
    try:
        return rounded_hundredths(seconds)
    except ValueError:
        raise wrong([FieldError(f"{path}result.duration", "expected at most 99999999.99 seconds")], BAD) from None


def _problems(statement: Statement, path: str) -> list[FieldError]:
    """What is wrong with a statement beyond the types of its fields."""
    errors = []
    identified = len(statement.actor.names())
    group = statement.actor.object_type == "Group"
    if identified > 1 or (not identified and (not group or statement.actor.member is UNSET)):
        errors.append(FieldError(f"{path}actor", "expected one of mbox, mbox_sha1sum, openid and account"))
    if statement.actor.member is not UNSET and not group:
        errors.append(FieldError(f"{path}actor.member", "expected only of a Group"))
    if statement.object.id is UNSET and statement.object.object_type in ("Activity", "StatementRef"):
        errors.append(FieldError(f"{path}object.id", "expected this field"))
    if statement.result is not UNSET:
        if statement.result.score is not UNSET:
            errors += [
                FieldError(f"{path}result.score.{name}", message)
                for name, message in _score_problems(statement.result.score).items()
            ]
        if statement.result.duration is not UNSET:
            try:
                duration_s(statement.result.duration)
            except ValueError as error:
                errors.append(FieldError(f"{path}result.duration", str(error)))
    return errors


def _score_problems(score: StatementScore) -> Mapping[str, str]:
    """Ranges, by section 2.4.5.1 of xAPI 1.0.3 (4.2.2.5 of 2.0)."""
    problems = {}
    if score.scaled is not UNSET and not -1 <= score.scaled <= 1:
        problems["scaled"] = f"expected a number from -1 to 1, got {score.scaled!r}"
    if score.min is not UNSET and score.max is not UNSET and not score.min < score.max:
        problems["min"] = f"expected less than max, got {score.min!r} and {score.max!r}"
    if score.raw is not UNSET:
        if score.min is not UNSET and score.raw < score.min:
            problems["raw"] = f"expected at least min, {score.min!r}, got {score.raw!r}"
        elif score.max is not UNSET and score.raw > score.max:
            problems["raw"] = f"expected at most max, {score.max!r}, got {score.raw!r}"
    return problems
