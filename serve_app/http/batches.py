"""Reading batches: NDJSON line by line; a JSON array in one go when all is well, item by item when not. Of creates NDJSON alone."""

from __future__ import annotations

from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from serve_app.http.bodies import decoded_body, field_error, malformed, media_type, require_json, wrong_fields
from serve_app.http.messages import Request
from serve_app.http.problems import FieldError, Problem, invalid
from serve_app.http.request_schemas import BatchJoin, BatchSubmission

T = TypeVar("T", bound=msgspec.Struct)

MAX_BATCH: Final = 1000
NDJSON_TYPES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
MAX_KEY_CHARS: Final = 255
KEY_FIELD: Final = "idempotency_key"
_raw_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_array: Final = msgspec.json.Decoder(list[msgspec.Raw])


class Batch(NamedTuple, Generic[T]):
    """`items` are in order, None where one is wrong; `rejected` are (index, code) of the wrong ones, the index among the items.

    `lines`: of NDJSON, each item's line in the body, the first is 1; blank ones are no items. Of an array it is empty.
    """

    items: list[T | None]
    rejected: list[tuple[int, str]]
    lines: list[int]


class BatchReader(Generic[T]):
    """Reads batches of one Struct."""

    def __init__(self, struct: type[T]) -> None:
        self._item = msgspec.json.Decoder(struct)
        self._array = msgspec.json.Decoder(list[struct])  # type: ignore[valid-type]  # it is a type at run time

    def read(self, request: Request, max_bytes: int) -> Batch[T]:
        """Read a batch. Codes: `malformed` (no JSON), `invalid` (a field is wrong).

        Raises Problem 400, 413, 415, and 422 for over 1,000 items or what is no array.
        """
        if media_type(request) in NDJSON_TYPES:
            return self._read_lines(decoded_body(request, max_bytes))
        body = require_json(request, max_bytes)
        try:
            items = self._array.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Batch(*self._one_by_one(_array(body)), [])
        _check_length(len(items))
        return Batch(list(items), [], [])

    def _read_lines(self, body: bytes) -> Batch[T]:
        numbered = _numbered(body)
        return Batch(*self._one_by_one([line for _, line in numbered]), [number for number, _ in numbered])

    def _one_by_one(self, raws: list[bytes] | list[msgspec.Raw]) -> tuple[list[T | None], list[tuple[int, str]]]:
        _check_length(len(raws))
        items: list[T | None] = []
        rejected: list[tuple[int, str]] = []
        for index, raw in enumerate(raws):
            try:
                items.append(self._item.decode(raw))
                continue
            except msgspec.ValidationError:
                rejected.append((index, "invalid"))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                rejected.append((index, "malformed"))
            items.append(None)
        return items, rejected


class AskedCreate(NamedTuple):
    """A line of `POST /v1/tournaments`: `body` is what a create alone would send, `key` its Idempotency-Key; `problem`: it is none."""

    line: int
    key: str | None
    body: bytes
    problem: Problem | None = None


def is_lines(request: Request) -> bool:
    """Whether the body is NDJSON."""
    return media_type(request) in NDJSON_TYPES


def read_creates(request: Request, max_bytes: int) -> list[AskedCreate]:
    """The lines of a batch of creates, blank ones left out. Raises Problem 400, 413, 415, and 422 for over 1,000."""
    numbered = _numbered(decoded_body(request, max_bytes))
    _check_length(len(numbered))
    return [_create(number, line) for number, line in numbered]


def _create(number: int, line: bytes) -> AskedCreate:
    try:
        fields = _raw_object.decode(line)
        key = msgspec.json.decode(fields.pop(KEY_FIELD, msgspec.Raw(b"null")))
    except msgspec.ValidationError as error:
        return AskedCreate(number, None, b"", wrong_fields([field_error(error)]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return AskedCreate(number, None, b"", malformed(error))
    try:
        return AskedCreate(number, check_key(key, KEY_FIELD), msgspec.json.encode(fields))
    except Problem as problem:
        return AskedCreate(number, None, b"", problem)


def check_key(key: Any, path: str) -> str | None:
    """The key of a call that may be repeated, None for none. Raises Problem 422 that names `path`."""
    if key is not None and not (isinstance(key, str) and 1 <= len(key) <= MAX_KEY_CHARS and key.isprintable()):
        raise invalid(path, f"expected 1 to {MAX_KEY_CHARS} printable characters")
    return key


read_scores: Final = BatchReader(BatchSubmission).read
read_joins: Final = BatchReader(BatchJoin).read


def _numbered(body: bytes) -> list[tuple[int, bytes]]:
    return [(number, line) for number, line in enumerate(body.split(b"\n"), start=1) if line.strip()]


def _array(body: bytes) -> list[msgspec.Raw]:
    try:
        return _raw_array.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_fields([field_error(error)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(error) from error


def _check_length(length: int) -> None:
    if length > MAX_BATCH:
        detail = f"expected at most {MAX_BATCH} items, got {length}"
        raise Problem(422, "invalid", detail, [FieldError("", detail)])
