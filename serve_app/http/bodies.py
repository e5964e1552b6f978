"""Reading request bodies strictly: JSON into a Struct, unknown fields forbidden, every problem reported with its path."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from serve_app.http.messages import Request
from serve_app.http.problems import FieldError, Problem

T = TypeVar("T", bound=msgspec.Struct)
Check = Callable[[Any], object]

MAX_EXPLAINED_BYTES: Final = 64 * 1024  # larger wrong bodies get the first problem only
MAX_ERRORS: Final = 50
MAX_PATH_CHARS: Final = 100
_JSON_TYPE: Final = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)
_AT: Final = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


class BodyReader(Generic[T]):
    """Reads bodies of one Struct. `checks` judge single fields beyond their type: they raise ValueError with what was expected."""

    def __init__(self, struct: type[T], checks: Mapping[str, Check] | None = None) -> None:
        self._decoder = msgspec.json.Decoder(struct)
        self._checks = dict(checks or {})
        self._fields = {
            field.encode_name: (field, checks.get(field.name) if checks else None)
            for field in msgspec.structs.fields(struct)
        }

    def read(self, body: bytes) -> T:
        """The body. Raises Problem: 400 `malformed` for what is no JSON, 422 `invalid` with all wrong fields."""
        try:
            value = self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise wrong_fields(self._explain(body) or [field_error(error)]) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            errors = self._explain(body)  # NaN and Infinity are no JSON, yet the field can be named
            raise (wrong_fields(errors) if errors else malformed(error)) from error
        errors = []
        for name, check in self._checks.items():
            given = getattr(value, name)
            if given is not None and given is not msgspec.UNSET:
                _judge(errors, name, check, given)
        if errors:
            raise wrong_fields(errors)
        return value

    def _explain(self, body: bytes) -> list[FieldError]:
        """All problems of the top-level fields; empty when the body is no object, too large or cannot be read at all."""
        if len(body) > MAX_EXPLAINED_BYTES:
            return []
        try:
            raw = json.loads(body)
        except (ValueError, RecursionError):
            return []
        if not isinstance(raw, dict):
            return []
        errors = [FieldError(_shown(name), "unknown field") for name in raw if name not in self._fields]
        for name, (field, check) in self._fields.items():
            if name not in raw:
                if field.required:
                    errors.append(FieldError(name, "expected this field"))
                continue
            try:
                value = msgspec.convert(raw[name], field.type)
            except msgspec.ValidationError as error:
                found = field_error(error)
                errors.append(FieldError(_joined(name, found.path), found.message))
                continue
            except (OverflowError, RecursionError):
                errors.append(FieldError(name, "out of range"))
                continue
            if check is not None and value is not None:
                _judge(errors, name, check, value)
        return errors[:MAX_ERRORS]


def _judge(errors: list[FieldError], name: str, check: Check, value: object) -> None:
    try:
        check(value)
    except ValueError as error:
        errors.append(FieldError(name, str(error)))


def field_error(error: msgspec.ValidationError) -> FieldError:
    """msgspec's message, taken apart into path and message."""
    matched = _AT.fullmatch(str(error))
    if matched is None:
        return FieldError("", str(error))
    return FieldError(matched[2], matched[1])


def _joined(name: str, rest: str) -> str:
    return f"{name}{rest}" if rest.startswith("[") or not rest else f"{name}.{rest}"


def _shown(name: str) -> str:
    return name if len(name) <= MAX_PATH_CHARS else name[:MAX_PATH_CHARS] + "..."


def wrong_fields(errors: list[FieldError]) -> Problem:
    """422 for wrong fields."""
    told = "; ".join(f"{error.path or 'body'}: {error.message}" for error in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    return Problem(422, "invalid", told + more, errors)


def malformed(error: Exception) -> Problem:
    """400 for a body that is no JSON."""
    message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Problem(400, "malformed", f"the body cannot be read: {message}", [FieldError("", message)])


def media_type(request: Request) -> str:
    """The body's media type in lower case, empty when none was given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request, max_bytes: int) -> bytes:
    """The body of a request that must be JSON. Raises Problem 400, 413, 415."""
    given = media_type(request)
    if given and given != "application/json" and not _JSON_TYPE.fullmatch(given):
        raise Problem(415, "unsupported_media_type", f"expected application/json, got {given[:100]}")
    return decoded_body(request, max_bytes)


def decoded_body(request: Request, max_bytes: int) -> bytes:
    """The body without its Content-Encoding, none or gzip; at most `max_bytes`, before as after. Raises Problem 400, 413, 415."""
    if len(request.body) > max_bytes:
        raise too_large(max_bytes)
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return request.body
    if coding not in ("gzip", "x-gzip"):
        detail = f"expected the Content-Encoding gzip, or none, got {coding[:100]}"
        raise Problem(415, "unsupported_media_type", detail, headers={"accept-encoding": "gzip, identity"})
    return _gunzip(request.body, max_bytes)


def _gunzip(data: bytes, max_bytes: int) -> bytes:
    """One gzip member (RFC 1952), inflated no further than the limit."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        inflated = member.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise malformed(error) from error
    if len(inflated) > max_bytes:
        raise too_large(max_bytes)
    if not member.eof or member.unused_data:
        raise malformed(ValueError("expected the whole of one gzip member, and nothing behind it"))
    return inflated


def too_large(max_bytes: int) -> Problem:
    """413, for a body beyond the limit."""
    detail = f"expected a body of at most {max_bytes} bytes"
    return Problem(413, "too_large", detail, [FieldError("", detail)])
