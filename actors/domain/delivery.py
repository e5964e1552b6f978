"""How ingest hands records to owners, and what owners answer: compact MessagePack, read and written in one go."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from actors.domain.messages import Claim, Message

_encode = msgspec.msgpack.Encoder().encode


class ScoreItem(msgspec.Struct, array_like=True, tag=0, frozen=True, gc=False):
    """A score on its way to its owner; `score` in hundredths."""

    offset: int
    time_ms: int
    tournament_id: int
    user_id: int
    event_id: str
    score: int
    reply_to: str = ""


class ResultItem(ScoreItem, array_like=True, tag=2, frozen=True, gc=False):
    """A submission that is more than a plain score: with a `subscore` (hundredths), or with an encoded `result` in place of the score."""

    subscore: int | None = None
    result: bytes = b""


class ControlItem(msgspec.Struct, array_like=True, tag=1, frozen=True, gc=False):
    """Any other record on its way to its owner, as ingest has verified and decoded it."""

    offset: int
    time_ms: int
    tournament_id: int
    message: Message
    reply_to: str = ""


Item = ScoreItem | ResultItem | ControlItem


def is_claim(item: Item) -> bool:
    """Whether a record is an owner's claim of a scope."""
    return isinstance(item, ControlItem) and isinstance(item.message, Claim)


ASK: Final = -2  # as a range's `after`: follows nothing, only the answer is wanted
GONE: Final = -3  # as a range's `after`: the log no longer has what follows `upto`, an owner that stands there must load what is durable


class Range(msgspec.Struct, array_like=True, frozen=True):
    """The items of one scope with `after < offset <= upto` of a partition; possibly none.

    The scope is a partition's shared tournaments (`tournament` 0) or one dedicated tournament. `ahead`: only the items of this tournament,
    ahead of the others of its scope; `after` then is where the owner stands in it. `without`: tournaments whose items are left out up to
    these offsets, since the owner has them already. `due_of`: tournaments of which the answer is to tell when they are due.
    """

    partition: int
    tournament: int
    after: int
    upto: int
    items: list[Item]
    ahead: int = 0
    without: dict[int, int] = {}
    due_of: list[int] = []


class ScopePosition(msgspec.Struct, array_like=True, frozen=True):
    """Where an owner stands in a scope: applied up to `watermark`, durable up to `durable`.

    `held` False: the owner does not hold it (moved). `closed`: a dedicated tournament is over and durable; later
    records belong to its partition's shared scope.
    """

    partition: int
    tournament: int
    watermark: int = -1
    durable: int = -1
    held: bool = True
    closed: bool = False


class Rejected(msgspec.Struct, array_like=True, frozen=True):
    """A record that the fold could not take: a dead letter."""

    partition: int
    offset: int
    reason: str
    detail: str


class DeliveryAnswer(msgspec.Struct, array_like=True, frozen=True):
    """What an owner answers to a delivery: a position for each range it got, and what it rejected.

    `ahead`: where it stands in each tournament that was delivered ahead of its scope, or left out without reason. `due_ms`: when each
    tournament that was asked for is due next, None for never.
    """

    positions: list[ScopePosition]
    rejected: list[Rejected]
    ahead: dict[int, int] = {}
    due_ms: dict[int, int | None] = {}


_answer_decoder = msgspec.msgpack.Decoder(DeliveryAnswer)


def encode_answer(answer: DeliveryAnswer) -> bytes:
    """An answer as MessagePack."""
    return _encode(answer)


def decode_answer(data: bytes) -> DeliveryAnswer:
    """The inverse of `encode_answer`."""
    return _answer_decoder.decode(data)


def scope_name(partition: int, tournament: int) -> str:
    """The name of a scope in claims and projected offsets."""
    return f"tournament-{tournament}" if tournament else f"partition-{partition}"


_BIG_INTEGER: Final = 1  # the extension type of integers beyond 64 bits: JSON has them, so metadata may


def _read_extension(_code: int, data: memoryview) -> int:
    return int.from_bytes(data, "big", signed=True)


def _extended(value: Any) -> Any:
    """Plain values with their big integers as extensions."""
    if isinstance(value, dict):
        return {key: _extended(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_extended(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_BIG_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    return value


_ranges_decoder = msgspec.msgpack.Decoder(list[Range], ext_hook=_read_extension)


def encode_ranges(ranges: list[Range]) -> bytes:
    """Ranges as MessagePack."""
    try:
        return _encode(ranges)
    except OverflowError:
        return _encode(_extended(msgspec.to_builtins(ranges)))


def decode_ranges(data: bytes) -> list[Range]:
    """The inverse of `encode_ranges`."""
    return _ranges_decoder.decode(data)
