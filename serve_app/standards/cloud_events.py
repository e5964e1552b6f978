"""CloudEvents 1.0 over HTTP (the HTTP protocol binding): structured, batched and binary content modes, to events of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from actors.domain.messages.cloud_events import ScoreEvent, event_data, structured
from actors.domain.values import hundredths, parse_id
from serve_app.http.batches import MAX_BATCH
from serve_app.http.problems import FieldError, Problem
from serve_app.http.request_schemas import Submission, check_submission
from serve_app.standards.reading import decoded, joined, named_error, wrong

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
PREFIX: Final = "ce-"


class _Typed(msgspec.Struct):
    """What a decoder of one tagged Struct alone would not miss."""

    type: str


_typed: Final = msgspec.json.Decoder(_Typed)
_event: Final = msgspec.json.Decoder(ScoreEvent)
_object: Final = msgspec.json.Decoder(dict[str, Any])
_items: Final = msgspec.json.Decoder(list[msgspec.Raw])


class GivenEvent(NamedTuple):
    """An event's tournament, as it is named, and its submission."""

    tournament: str
    submission: Submission


def read_event(value: bytes | msgspec.Raw) -> GivenEvent:
    """An event in the JSON format. Raises Problem 400, 422 with the attribute that is missing or wrong."""
    decoded(_typed, bytes(value))
    event = decoded(_event, bytes(value))
    if event.subject is msgspec.UNSET:
        raise wrong([FieldError("subject", "expected this field: the tournament's id")])
    try:
        data = event_data(event)
    except msgspec.ValidationError as error:
        found = named_error(error)
        raise wrong([FieldError(joined("data", found.path), found.message)]) from error
    except (ValueError, RecursionError) as error:
        raise wrong([FieldError("data", str(error))]) from error
    result = msgspec.UNSET if data.result is msgspec.UNSET else decoded(_object, bytes(data.result))
    submission = Submission(
        event_id=event.event_id, user_id=data.user_id, score=data.score, subscore=data.subscore, result=result
    )
    _check(data.user_id, submission)
    return GivenEvent(event.subject, submission)


def _check(user_id: str, submission: Submission) -> None:
    """Values beyond their types. Raises Problem 422 with paths within the event."""
    try:
        parse_id(user_id)
    except ValueError:
        raise wrong([FieldError("data.user_id", "expected a decimal user id")]) from None
    for name, number in (("score", submission.score), ("subscore", submission.subscore)):
        if number is not msgspec.UNSET:
            try:
                hundredths(number)
            except ValueError as error:
                raise wrong([FieldError(f"data.{name}", str(error))]) from None
    try:
        check_submission(submission)
    except Problem as problem:
        raise wrong([FieldError(joined("data", error.path), error.message) for error in problem.errors]) from None


def binary_event(headers: Mapping[str, str], body: bytes) -> bytes:
    """The event that headers and a body make in the binary content mode, in the JSON format."""
    attributes = {name[len(PREFIX) :]: unquote(text) for name, text in headers.items() if name.startswith(PREFIX)}
    if "content-type" in headers:
        attributes["datacontenttype"] = headers["content-type"]
    return structured(attributes, body)


def batch_items(body: bytes) -> list[msgspec.Raw]:
    """The events of a batch, unread. Raises Problem 400, 422 for over 1,000 or what is no array."""
    items = decoded(_items, body)
    if len(items) > MAX_BATCH:
        raise wrong([FieldError("", f"expected at most {MAX_BATCH} events, got {len(items)}")])
    return items
