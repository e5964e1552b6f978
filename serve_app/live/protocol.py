"""The live protocol's messages: what clients send, what they are answered, and the close codes.

JSON text frames. A client's message has an `id` of its choice (integer or text) and one command: `auth`, `subscribe`, `unsubscribe`
or `submit`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from actors.domain.values import decimal_score, parse_id
from serve_app.http.problems import Problem
from serve_app.http.request_schemas import Id, LiveSubmission, read_live_submission
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
WireId = int | Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_ID_CHARS})] | None
Unsubscription = Literal["tournament_unknown", "not_allowed", "token_expired", "other_user"]


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


class Since(msgspec.Struct, forbid_unknown_fields=True):
    """The position of the last frame that the client applied. `offset`: a view's `position` may be given as it is."""

    epoch: int
    seq: int
    offset: int = -1


class AuthMessage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Signs the socket in, by a token as the HTTP API takes it."""

    auth: str
    id: WireId = None


class SubscribeMessage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Follow a tournament, from `since` on where the server still has all updates after it. `me`: one's own standing, too."""

    subscribe: Id
    id: WireId = None
    since: Since | None = None
    me: bool = False


class UnsubscribeMessage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Follow a tournament no more."""

    unsubscribe: Id
    id: WireId = None


class SubmitMessage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Submit a score, or a result. What is not acknowledged when a socket closes may be sent again: it counts once."""

    submit: LiveSubmission
    id: WireId = None


class OkMessage(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer to a message that was obeyed. Scores that went to the log together are answered together, by `ids`."""

    id: WireId | msgspec.UnsetType = msgspec.UNSET
    ids: list[WireId] | msgspec.UnsetType = msgspec.UNSET
    ok: Annotated[bool, msgspec.Meta(extra_json_schema={"const": True})]


class LiveProblem(msgspec.Struct, kw_only=True):
    """`code` is stable, `message` is for people. `retry_after_s`: send it again after so many seconds."""

    code: str
    message: str
    retry_after_s: int | msgspec.UnsetType = msgspec.UNSET


class ErrorMessage(msgspec.Struct, kw_only=True):
    """The answer to a message that was not obeyed; `id` null where the message's could not be read."""

    id: WireId
    error: LiveProblem


class UnsubscribedMessage(msgspec.Struct, tag_field="type", tag="unsubscribed", kw_only=True):
    """The server ended a subscription that had been answered."""

    tournament: Id
    reason: Unsubscription


class SignedOutMessage(msgspec.Struct, tag_field="type", tag="signed_out", kw_only=True):
    """The socket's token is no longer valid: `me` and private tournaments ended; public ones go on."""

    reason: str


class MeMessage(msgspec.Struct, tag_field="type", tag="me", kw_only=True):
    """One's own standing, to one's own sockets alone. All null while one takes no part; rank and score null without a score.

    `previous_rank`: the one that was sent before.
    """

    tournament: Id
    rank: int | None
    previous_rank: int | None
    score: float | None
    percentile: float | None


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    """What a message has, as far as that tells which one it is."""

    id: int | str | None = None
    auth: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    subscribe: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    unsubscribe: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    submit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    since: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    me: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _OnlyId(msgspec.Struct):
    id: int | str | None = None


_given = msgspec.json.Decoder(_Given)
_auths = msgspec.json.Decoder(AuthMessage)
_subscribes = msgspec.json.Decoder(SubscribeMessage)
_unsubscribes = msgspec.json.Decoder(UnsubscribeMessage)
_submits = msgspec.json.Decoder(SubmitMessage)
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
        return _read(text, _given.decode(text))
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _explain(text, error) from None


def _read(text: str, message: _Given) -> Auth | Subscribe | Unsubscribe | Submit:
    """Raises MessageError, and msgspec's errors for a field of another type."""
    if isinstance(message.id, str) and len(message.id) > MAX_ID_CHARS:
        raise MessageError(MALFORMED, f"expected an id of at most {MAX_ID_CHARS} characters, got {len(message.id)}")
    given = [name for name in _COMMANDS if getattr(message, name) is not msgspec.UNSET]
    if len(given) != 1:
        got = "none" if not given else " and ".join(given)
        raise MessageError(UNKNOWN_MESSAGE, f"expected one of {', '.join(_COMMANDS)}, got {got}", message.id)
    if message.subscribe is not msgspec.UNSET:
        wanted = _subscribes.decode(text)
        since = None if wanted.since is None else Position(wanted.since.epoch, wanted.since.seq)
        return Subscribe(message.id, _tournament("subscribe", wanted.subscribe, message.id), since, wanted.me)
    if message.since is not msgspec.UNSET or message.me is not msgspec.UNSET:
        raise MessageError(UNKNOWN_MESSAGE, f"since and me belong to subscribe, got them with {given[0]}", message.id)
    if message.submit is not msgspec.UNSET:
        try:
            return Submit(message.id, read_live_submission(bytes(message.submit)))
        except Problem as problem:
            raise MessageError(problem.code, problem.detail, message.id) from None
    if message.auth is not msgspec.UNSET:
        return Auth(message.id, _auths.decode(text).auth)
    return Unsubscribe(message.id, _tournament("unsubscribe", _unsubscribes.decode(text).unsubscribe, message.id))


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
    if len(message_ids) == 1:
        return text_frame(_encode(OkMessage(id=message_ids[0], ok=True)))
    return text_frame(_encode(OkMessage(ids=list(message_ids), ok=True)))


def error_frame(message_id: MessageId, code: str, message: str) -> bytes:
    """`{"id", "error": {"code", "message"}}`."""
    return text_frame(_encode(ErrorMessage(id=message_id, error=LiveProblem(code=code, message=message))))


def refusal_frame(message_id: MessageId, problem: Problem) -> bytes:
    """The error of a problem, with the seconds of its `Retry-After` where it has one."""
    error = LiveProblem(code=problem.code, message=problem.detail)
    if "retry-after" in problem.headers:
        error.retry_after_s = int(problem.headers["retry-after"])
    return text_frame(_encode(ErrorMessage(id=message_id, error=error)))


def unsubscribed_frame(tournament_id: int, reason: Unsubscription) -> bytes:
    """The server ended a subscription."""
    return text_frame(_encode(UnsubscribedMessage(tournament=str(tournament_id), reason=reason)))


def signed_out_frame(reason: str) -> bytes:
    """The socket's token is no longer valid: `me` and private tournaments ended; public ones go on."""
    return text_frame(_encode(SignedOutMessage(reason=reason)))


def me_frame(tournament_id: int, standing: Standing | None, previous_rank: int | None) -> bytes:
    """One's own standing; all null for one who does not take part."""
    message = MeMessage(
        tournament=str(tournament_id),
        rank=None if standing is None else standing.rank,
        previous_rank=previous_rank,
        score=None if standing is None or standing.score is None else decimal_score(standing.score),
        percentile=None if standing is None else standing.percentile,
    )
    return text_frame(_encode(message))


def come_back(retry_after_ms: int) -> str:
    """The reason of a close that says when to connect again."""
    return f'{{"retry_after_ms":{retry_after_ms}}}'
