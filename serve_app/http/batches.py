"""Reading batches of scores: NDJSON or a JSON array, in one go when all is well, item by item when not."""

from __future__ import annotations

from typing import Final

import msgspec

from serve_app.http.bodies import malformed, media_type, require_json, too_large
from serve_app.http.messages import Request
from serve_app.http.problems import FieldError, Problem
from serve_app.http.request_schemas import BatchSubmission, batch_array_decoder, batch_item_decoder

MAX_BATCH: Final = 1000
NDJSON_TYPES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_raw_array: Final = msgspec.json.Decoder(list[msgspec.Raw])


def read_batch(request: Request, max_bytes: int) -> tuple[list[BatchSubmission | None], list[tuple[int, str]]]:
    """(items, None where one is wrong; (index, code) of the wrong ones).

    Codes: `malformed` (no JSON), `invalid` (a field is wrong). Raises Problem 400, 413, 415, and 422 for over 1,000 items.
    """
    if media_type(request) in NDJSON_TYPES:
        if len(request.body) > max_bytes:
            raise too_large(max_bytes)
        try:
            items: list[BatchSubmission] = batch_item_decoder.decode_lines(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _one_by_one([line for line in request.body.split(b"\n") if line.strip()])
    else:
        body = require_json(request, max_bytes)
        try:
            items = batch_array_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _one_by_one(_array(body))
    _check_length(len(items))
    return list(items), []


def _array(body: bytes) -> list[msgspec.Raw]:
    try:
        return _raw_array.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(error) from error


def _one_by_one(
    raws: list[bytes] | list[msgspec.Raw],
) -> tuple[list[BatchSubmission | None], list[tuple[int, str]]]:
    _check_length(len(raws))
    items: list[BatchSubmission | None] = []
    rejected: list[tuple[int, str]] = []
    for index, raw in enumerate(raws):
        try:
            items.append(batch_item_decoder.decode(raw))
            continue
        except msgspec.ValidationError:
            rejected.append((index, "invalid"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            rejected.append((index, "malformed"))
        items.append(None)
    return items, rejected


def _check_length(length: int) -> None:
    if length > MAX_BATCH:
        detail = f"expected at most {MAX_BATCH} scores, got {length}"
        raise Problem(422, "invalid", detail, [FieldError("", detail)])
