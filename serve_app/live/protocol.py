"""The live protocol's messages: what clients send, what they are answered, and the close codes.

JSON text frames. A client's message has an `id` of its choice (integer or text) and one command: `auth`, `subscribe`, `unsubscribe`
or `submit`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from actors.domain.values import decimal_score, parse_id
from serve_app.http.problems import Problem
from serve_app.http.request_schemas import LiveSubmission, read_live_submission
from storage.ports import Standing

SUBPROTOCOL: Final = "palio.v1"
MAX_ID_CHARS: Final = 64

# Close codes of our own: 4000-4499 connect again, 4500-4999 do not. Frames too big are 1009, broken ones 1002 or 1007.
CLOSE_DRAINING: Final = 4000  # this replica stops; the reason says when to come back
CLOSE_TOO_SLOW: Final = 4001  # the client did not take what was sent within the limit
CLOSE_SILENT: Final = 4002  # the client did not answer a ping

# Error codes.
MALFORMED: Final = "malformed"
UNKNOWN_MESSAGE: Final = "unknown_message"
UNAUTHORIZED: Final = "unauthorized"
NOT_FOUND: Final = "tournament_unknown"
NOT_ALLOWED: Final = "not_allowed"
TOO_MANY_SUBSCRIPTIONS: Final = "too_many_subscriptions"
RATE_LIMITED: Final = "rate_limited"
OVERLOADED: Final = "overloaded"
BINARY_FRAME: Final = "binary_frame"

MessageId = int | str | None


class Position(NamedTuple):
    """Where a subscriber stands: the newest update it has, `seq` -1 for none."""

    epoch: int
    seq: int


class Auth(NamedTuple):
    """`{"id", "auth": "<JWT>"}`."""

    id: MessageId
    token: str


class Subscribe(NamedTuple):
    """`{"id", "subscribe": "<tournament>", "since"?, "me"?}`."""

    id: MessageId
    tournament_id: int
    since: Position | None
    me: bool


class Unsubscribe(NamedTuple):
    """`{"id", "unsubscribe": "<tournament>"}`."""

    id: MessageId
    tournament_id: int


class Submit(NamedTuple):
    """`{"id", "submit": {"tournament", "event_id", "score", "user_id"?}}`."""

    id: MessageId
    submission: LiveSubmission


class MessageError(Exception):
    """A message that cannot be obeyed; `code` and the text go to the client, `id` is the message's where it could be read."""

    def __init__(self, code: str, message: str, message_id: MessageId = None) -> None:
        super().__init__(message)
        self.code = code
        self.id = message_id


class _Since(msgspec.Struct, forbid_unknown_fields=True):
    epoch: int
    seq: int
    offset: int = -1  # a view's `position` may be given as it is


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    id: int | str | None = None
    auth: str | msgspec.UnsetType = msgspec.UNSET
    subscribe: str | msgspec.UnsetType = msgspec.UNSET
    unsubscribe: str | msgspec.UnsetType = msgspec.UNSET
    submit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    since: _Since | None = None
    me: bool = False


class _SubmitMessage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    submit: LiveSubmission
    id: int | str | None = None


class _OnlyId(msgspec.Struct):
    id: int | str | None = None


_messages = msgspec.json.Decoder(_Message)
_submits = msgspec.json.Decoder(_SubmitMessage)
_only_id = msgspec.json.Decoder(_OnlyId)
_COMMANDS: Final = ("auth", "subscribe", "unsubscribe", "submit")


def parse_submit(data: bytes | bytearray) -> Submit | None:
    """A message that is a submission and right as far as its form goes; None: ask `parse_message`."""
    try:
        message = _submits.decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if isinstance(message.id, str) and len(message.id) > MAX_ID_CHARS:
        return None
    return Submit(message.id, message.submit)


def parse_message(text: str) -> Auth | Subscribe | Unsubscribe | Submit:
    """Read a client's message. Raises MessageError."""
    try:
        message = _messages.decode(text)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _explain(text, error) from None
    if isinstance(message.id, str) and len(message.id) > MAX_ID_CHARS:
        raise MessageError(MALFORMED, f"expected an id of at most {MAX_ID_CHARS} characters, got {len(message.id)}")
    given = [name for name in _COMMANDS if getattr(message, name) is not msgspec.UNSET]
    if len(given) != 1:
        got = "none" if not given else " and ".join(given)
        raise MessageError(UNKNOWN_MESSAGE, f"expected one of {', '.join(_COMMANDS)}, got {got}", message.id)
    if message.subscribe is not msgspec.UNSET:
        since = None if message.since is None else Position(message.since.epoch, message.since.seq)
        return Subscribe(message.id, _tournament("subscribe", message.subscribe, message.id), since, message.me)
    if message.since is not None or message.me:
        raise MessageError(UNKNOWN_MESSAGE, f"since and me belong to subscribe, got them with {given[0]}", message.id)
    if message.submit is not msgspec.UNSET:
        try:
            return Submit(message.id, read_live_submission(bytes(message.submit)))
        except Problem as problem:
            raise MessageError(problem.code, problem.detail, message.id) from None
    if message.auth is not msgspec.UNSET:
        return Auth(message.id, message.auth)
    assert message.unsubscribe is not msgspec.UNSET
    return Unsubscribe(message.id, _tournament("unsubscribe", message.unsubscribe, message.id))


def _tournament(field: str, text: str, message_id: MessageId) -> int:
    try:
        return parse_id(text)
    except (ValueError, IndexError):
        raise MessageError(
            MALFORMED, f"{field}: expected a tournament id, a decimal string, got {text[:40]!r}", message_id
        ) from None


def _explain(text: str, error: Exception) -> MessageError:
    """The error of an undecodable message, with its id when that can be read."""
    try:
        message_id = _only_id.decode(text).id
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError, RecursionError):
        message_id = None
    if isinstance(message_id, str) and len(message_id) > MAX_ID_CHARS:
        message_id = None
    reason = str(error) or type(error).__name__
    code = UNKNOWN_MESSAGE if "unknown field" in reason else MALFORMED
    return MessageError(code, reason, message_id)


_encode = msgspec.json.Encoder().encode


def text_frame(payload: bytes) -> bytes:
    """A whole WebSocket text frame, unmasked and uncompressed: the bytes that go to every subscriber."""
    # As `websockets.frames.Frame.serialize` does, which takes six times as long: a good part of what an update costs where few watch.
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def ok_frame(*message_ids: MessageId) -> bytes:
    """`{"id", "ok": true}`; of several `{"ids": [...], "ok": true}`."""
    which: dict[str, object] = {"id": message_ids[0]} if len(message_ids) == 1 else {"ids": message_ids}
    return text_frame(_encode({**which, "ok": True}))


def error_frame(message_id: MessageId, code: str, message: str) -> bytes:
    """`{"id", "error": {"code", "message"}}`."""
    return text_frame(_encode({"id": message_id, "error": {"code": code, "message": message}}))


def refusal_frame(message_id: MessageId, problem: Problem) -> bytes:
    """The error of a problem, with the seconds of its `Retry-After` where it has one."""
    error: dict[str, object] = {"code": problem.code, "message": problem.detail}
    if "retry-after" in problem.headers:
        error["retry_after_s"] = int(problem.headers["retry-after"])
    return text_frame(_encode({"id": message_id, "error": error}))


def unsubscribed_frame(tournament_id: int, reason: str) -> bytes:
    """The server ended a subscription: `reason` is tournament_unknown, not_allowed, token_expired or other_user."""
    return text_frame(_encode({"tournament": str(tournament_id), "type": "unsubscribed", "reason": reason}))


def signed_out_frame(reason: str) -> bytes:
    """The socket's token is no longer valid: `me` and private tournaments ended; public ones go on."""
    return text_frame(_encode({"type": "signed_out", "reason": reason}))


def me_frame(tournament_id: int, standing: Standing | None, previous_rank: int | None) -> bytes:
    """One's own standing; all null for one who does not take part."""
    score = None if standing is None or standing.score is None else decimal_score(standing.score)
    message = {
        "type": "me",
        "tournament": str(tournament_id),
        "rank": None if standing is None else standing.rank,
        "previous_rank": previous_rank,
        "score": score,
        "percentile": None if standing is None else standing.percentile,
    }
    return text_frame(_encode(message))


def come_back(retry_after_ms: int) -> str:
    """The reason of a close that says when to connect again."""
    return f'{{"retry_after_ms":{retry_after_ms}}}'
