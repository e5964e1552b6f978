"""LTI Advantage, Assignment and Grade Services 2.0: a tournament is a line item, a score of a tool is a submission, a row is a result.

https://www.imsglobal.org/spec/lti-ags/v2p0
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from actors.domain.values import derived_event_id
from serve_app.http.problems import FieldError
from serve_app.standards.foreign_ids import ForeignIds
from serve_app.standards.reading import decoded, exact, rounded_hundredths, wrong

_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/"
READ_ITEMS: Final = _SCOPE + "lineitem.readonly"
READ_RESULTS: Final = _SCOPE + "result.readonly"
POST_SCORES: Final = _SCOPE + "score"
SCOPES: Final = (
    READ_ITEMS,
    READ_RESULTS,
    POST_SCORES,
    _SCOPE + "lineitem",
)  # the last reads as the first: items are made elsewhere
ITEM_TYPE: Final = "application/vnd.ims.lis.v2.lineitem+json"
ITEMS_TYPE: Final = "application/vnd.ims.lis.v2.lineitemcontainer+json"
RESULTS_TYPE: Final = "application/vnd.ims.lis.v2.resultcontainer+json"
SCORE_TYPE: Final = "application/vnd.ims.lis.v1.score+json"
DEFAULT_MAXIMUM: Final = 100
MAX_COMMENT_CHARS: Final = 10_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Amount = Annotated[float, Meta(ge=0, le=1e12)]
Maximum = Annotated[float, Meta(gt=0, le=1e12)]


class ToolScore(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST .../scores`. What extensions say beside these is not looked at; the comment is not kept."""

    user_id: Annotated[str, Meta(min_length=1, max_length=255)]
    timestamp: Annotated[str, Meta(max_length=64, extra_json_schema={"format": "date-time"})]
    activity_progress: Literal["Initialized", "Started", "InProgress", "Submitted", "Completed"]
    grading_progress: Literal["FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"]
    score_given: Amount | UnsetType | None = UNSET
    score_maximum: Maximum | UnsetType | None = UNSET
    comment: Annotated[str, Meta(max_length=MAX_COMMENT_CHARS)] | UnsetType | None = UNSET


class LineItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A tournament as a tool sees it; `id` is its URL."""

    id: str
    score_maximum: float
    label: str
    resource_id: str
    start_date_time: str | None = None
    end_date_time: str | None = None


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A row of a table."""

    id: str
    score_of: str
    user_id: str
    result_score: float
    result_maximum: float


class ScoreTaken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a score; the standard asks for none. `counted` false: it is no final one, `reason` says why, and nothing is kept of it."""

    result_url: str
    counted: bool
    event_id: str | UnsetType = UNSET
    reason: Literal["not_graded", "no_score"] | UnsetType = UNSET


class Graded(NamedTuple):
    """A final score: `time_us` is the tool's, `score` in hundredths of the line item's scale."""

    user_id: int
    time_us: int
    score: int


_score: Final = msgspec.json.Decoder(ToolScore)


def read_score(body: bytes) -> ToolScore:
    """The body. Raises Problem 400, 422."""
    score = decoded(_score, body)
    if isinstance(score.score_given, float) and not isinstance(score.score_maximum, float):
        raise wrong([FieldError("scoreMaximum", "expected this field beside scoreGiven")])
    return score


def graded(score: ToolScore, maximum: float, ids: ForeignIds) -> Graded | str:
    """The score scaled to a line item's `maximum`, rounded to 2 decimals, or why it is none: `not_graded`, `no_score`.

    Raises Problem 422.
    """
    time_us = timestamp_us(score.timestamp)
    user_id = ids.user(score.user_id)
    if user_id is None:
        raise wrong([FieldError("userId", "expected a decimal user id, or one that is mapped")])
    if score.grading_progress != "FullyGraded":
        return "not_graded"
    if not isinstance(score.score_given, float) or not isinstance(score.score_maximum, float):
        return "no_score"
    try:
        scaled = rounded_hundredths(exact(score.score_given) / exact(score.score_maximum) * exact(maximum))
    except ValueError as error:
        raise wrong([FieldError("scoreGiven", str(error))]) from None
    return Graded(user_id, time_us, scaled)


def timestamp_us(text: str) -> int:
    """An ISO 8601 time with a zone, in microseconds since 1970. Raises Problem 422."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise wrong([FieldError("timestamp", f"expected an ISO 8601 time with a zone, got {text[:40]!r}")])
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def event_id_of(client_id: str, given: Graded) -> str:
    """By the tool, the user and the tool's time: so that a retry counts once."""
    return derived_event_id("lti", client_id, str(given.user_id), str(given.time_us))


def maximum_of(view: Mapping[str, Any]) -> float:
    """A tournament's `scoreMaximum`: `{"lti": {"score_maximum": 20}}` in its metadata, else 100."""
    lti = view["metadata"].get("lti")
    maximum = lti.get("score_maximum") if isinstance(lti, dict) else None
    if isinstance(maximum, bool) or not isinstance(maximum, int | float) or not 0 < maximum <= 1e8:
        return DEFAULT_MAXIMUM
    return maximum


def line_item(view: Mapping[str, Any], base_url: str) -> LineItem:
    """The line item of a tournament's view, or of its row in a list."""
    return LineItem(
        id=f"{base_url}/{view['id']}",
        score_maximum=maximum_of(view),
        label=view["name"],
        resource_id=view["id"],
        start_date_time=view["starts_at"],
        end_date_time=view["ends_at"],
    )


def tool_results(rows: list[dict[str, Any]], item: LineItem) -> list[ToolResult]:
    """The results of rows of a table."""
    return [
        ToolResult(
            id=f"{item.id}/results?user_id={row['user_id']}",
            score_of=item.id,
            user_id=row["user_id"],
            result_score=row["score"],
            result_maximum=item.score_maximum,
        )
        for row in rows
    ]
