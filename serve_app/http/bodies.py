"""Reading request bodies strictly: JSON into a Struct, unknown fields forbidden, every problem reported with its path."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from actors.domain.messages.wrong_fields import wrong_field
from serve_app.config import FrontConfig
from serve_app.http.messages import Request
from serve_app.http.problems import FieldError, Problem, unavailable
from serve_app.metrics import UNREAD_BODY_BYTES

T = TypeVar("T", bound=msgspec.Struct)
Check = Callable[[Any], object]

MAX_EXPLAINED_BYTES: Final = 64 * 1024  # larger wrong bodies get the first problem only
MAX_ERRORS: Final = 50
MAX_PATH_CHARS: Final = 100
TOO_DEEP: Final = 100  # what decoders refuse is deeper than this, and what they take and mean is not
_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_JSON_TYPE: Final = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)


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
        value = self.decode(body)
        self.check(value)
        return value

    def decode(self, body: bytes) -> T:
        """The body by its types alone, the checks not asked; raises as `read`."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise wrong_fields(self._explain(body) or [field_error(error)]) from error
        except RecursionError as error:
            raise wrong_fields([FieldError(_shown(_deep_field(body)), "nested too deeply")]) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            errors = self._explain(body)  # NaN and Infinity are no JSON, yet the field can be named
            raise (wrong_fields(errors) if errors else malformed(error)) from error

    def check(self, value: T) -> None:
        """Raises Problem 422 with all fields that the checks find wrong."""
        errors: list[FieldError] = []
        for name, check in self._checks.items():
            given = getattr(value, name)
            if given is not None and given is not msgspec.UNSET:
                _judge(errors, name, check, given)
        if errors:
            raise wrong_fields(errors)

    def _explain(self, body: bytes) -> list[FieldError]:
        """All problems of the top-level fields; empty when the body is no object, too large or cannot be read at all."""
        if len(body) > MAX_EXPLAINED_BYTES:
            return []
        try:
            raw = json.loads(body)
            msgspec.json.encode(raw)  # fails for lone surrogates: they are no text, of which no answer could be made
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
                found = FieldError(*wrong_field(error, raw[name], field.type))
                errors.append(FieldError(_joined(name, found.path), found.message))
                continue
            except (OverflowError, RecursionError):
                errors.append(FieldError(name, "out of range"))
                continue
            if check is not None and value is not None:
                _judge(errors, name, check, value)
        return errors[:MAX_ERRORS]


def _deep_field(body: bytes) -> str:
    """The top-level field of a body in which it is nested too deeply for the decoder; empty when it is not in one."""
    field, depth = b"", 0
    for matched in _STRUCTURE.finditer(body):
        token = matched[0]
        if token in (b"{", b"["):
            depth += 1
            if depth > TOO_DEEP:
                break
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth == 1:
            field = token[1:-1]
    return field.decode(errors="replace")


def _judge(errors: list[FieldError], name: str, check: Check, value: object) -> None:
    try:
        check(value)
    except ValueError as error:
        errors.append(FieldError(name, str(error)))


def field_error(error: msgspec.ValidationError) -> FieldError:
    """msgspec's message, taken apart into path and message."""
    return FieldError(*wrong_field(error))


def _joined(name: str, rest: str) -> str:
    return f"{name}{rest}" if rest.startswith("[") or not rest else f"{name}.{rest}"


def _shown(name: str) -> str:
    return name if len(name) <= MAX_PATH_CHARS else name[:MAX_PATH_CHARS] + "..."


def wrong_fields(errors: list[FieldError]) -> Problem:
    """422 for wrong fields."""
    detail = "; ".join(f"{error.path or 'body'}: {error.message}" for error in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    return Problem(422, "invalid", detail + more, errors)


def malformed(error: Exception) -> Problem:
    """400 for a body that is no JSON."""
    message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Problem(400, "malformed", f"the body cannot be read: {message}", [FieldError("", message)])


def media_type(request: Request) -> str:
    """The body's media type in lower case, empty when none was given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request, max_bytes: int) -> bytes:
    """The body of a request that must be JSON. Raises Problem 400, 413, 415."""
    if request.headers.get("content-type") != "application/json":  # as nearly everyone writes it
        given = media_type(request)
        if given and not _JSON_TYPE.fullmatch(given):
            raise Problem(415, "unsupported_media_type", f"expected application/json, got {given[:100]}")
    return decoded_body(request, max_bytes)


def decoded_body(request: Request, max_bytes: int) -> bytes:
    """The body without its Content-Encoding, none or gzip; at most `max_bytes`, before as after. Raises Problem 400, 413, 415."""
    if len(request.body) > max_bytes:
        raise too_large(max_bytes)
    if request.headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":  # all that parsers undo
        raise Problem(415, "unsupported_media_type", "expected the Transfer-Encoding chunked alone, or none")
    if "content-encoding" not in request.headers:
        return request.body
    coding = request.headers["content-encoding"].strip().lower()
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


def too_large(max_bytes: int, whose: str = "") -> Problem:
    """413, for a body beyond the limit; `whose` bodies are limited so, if not all."""
    detail = f"expected a body of at most {max_bytes} bytes{whose}"
    return Problem(413, "too_large", detail, [FieldError("", detail)])


def body_limit(config: FrontConfig, size_bytes: int, authorization: str | None) -> int:
    """How large a body may be that has come to this size: little from anyone, more with a token, which must then verify.

    Raises Problem 413.
    """
    most = config.max_body_bytes
    small = min(config.max_unverified_body_bytes, most)
    if size_bytes <= small:
        return small
    if size_bytes > most:
        raise too_large(most)
    if authorization is None:
        raise too_large(small, " without a token")
    return most


class UnreadBodies:
    """How many bytes of bodies a process holds that are not whole, or wait for their turn.

    When full, bodies that grow are refused with 503; already at half of it those without a token that verifies.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0

    def add(self, more_bytes: int) -> None:
        """Count so many more, or less."""
        self.held_bytes += more_bytes
        UNREAD_BODY_BYTES.inc(more_bytes)

    def check(self, verified: Callable[[], bool]) -> None:
        """Raises Problem 503 when full for a caller of whom `verified` tells whether the token is known to be good."""
        held_bytes = self.held_bytes
        if held_bytes > self.max_bytes // 2 and (held_bytes > self.max_bytes or not verified()):
            raise unavailable("unavailable", "too many request bodies are arriving at once")
