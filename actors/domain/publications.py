"""What owners publish for gateways: channel names, live messages, who changed, and the outcomes that entrypoints wait for."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict, get_args

import msgspec
import numpy as np

from actors.domain.life.transitions import Status
from actors.domain.messages.fields import DecimalId

MAX_CHANGED: Final = 4096  # user ids in one `changed` publication (32 KiB); more are announced as "many"

NOTICES_CHANNEL: Final = "notices"  # carries `encode_notices`, for every gateway
_UPDATES_TAIL: Final = "}:updates"


def updates_channel(tournament_id: int) -> str:
    """Carries the frames of `update_frame`, ready for clients. The braces are Redis Cluster's hash tag."""
    return f"tournament:{{{tournament_id}{_UPDATES_TAIL}"


def tournament_of(channel: str) -> int | None:
    """The tournament whose updates a channel carries, None for any other channel."""
    head, found, rest = channel.partition("{")
    number, tail = rest[: -len(_UPDATES_TAIL)], rest[-len(_UPDATES_TAIL) :]
    is_ours = found and head == "tournament:" and tail == _UPDATES_TAIL and number.isascii() and number.isdigit()
    return int(number) if is_ours and len(number) < 20 else None


def changed_channel(tournament_id: int) -> str:
    """Carries `encode_changed`: whose standing changed by their own doing."""
    return f"tournament:{{{tournament_id}}}:changed"


def replies_channel(replica: str) -> str:
    """Carries `encode_outcomes` to one waiting entrypoint; `replica` is a name that entrypoint made up for its lifetime."""
    return f"replies:{replica}"


# The live messages, as both the owner that makes them and the documents for clients have them.

Pointer = Annotated[str, msgspec.Meta(description="A JSON Pointer into `data`, such as `/top/3` or `/top/3/score`.")]
ShownStatus = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(get_args(Status))})]


class LiveRow(TypedDict):
    """A row of the live table. Its rank follows from its place, the scores (and subscores, where there are some) and `ties`."""

    user_id: DecimalId
    name: str | None
    score: float
    subscore: NotRequired[float]


class LiveData(TypedDict):
    """What is kept up to date of a tournament; `top` are the first 20 rows. Times are RFC 3339 in UTC."""

    status: ShownStatus
    participants: int
    starts_at: str | None
    ends_at: str | None
    ties: Literal["first", "shared", "dense"]
    top: list[LiveRow]


class AddRow(msgspec.Struct, tag_field="op", tag="add", gc=False):
    """A row comes in."""

    path: Pointer
    value: LiveRow


class RemoveRow(msgspec.Struct, tag_field="op", tag="remove", gc=False):
    """A row goes."""

    path: Pointer


class ReplaceValue(msgspec.Struct, tag_field="op", tag="replace", gc=False):
    """A field of `data`, or of a row, changes."""

    path: Pointer
    value: Any


class MoveRow(msgspec.Struct, tag_field="op", tag="move", rename={"from_": "from"}, gc=False):
    """A row rises or falls."""

    from_: Pointer
    path: Pointer


PatchOperation = AddRow | RemoveRow | ReplaceValue | MoveRow


class SnapshotMessage(TypedDict):
    """Replaces all that is known of a tournament's live data, and sets the position, whatever they were."""

    tournament: DecimalId
    type: Literal["snapshot"]
    epoch: int
    seq: int
    data: LiveData


class UpdateMessage(TypedDict):
    """What changed: a JSON Patch (RFC 6902) on `data`. It applies where `epoch` is the one at hand, and `seq` the one at hand plus one."""

    tournament: DecimalId
    type: Literal["update"]
    epoch: int
    seq: int
    patch: list[PatchOperation]


def update_frame(tournament_id: int, epoch: int, seq: int, patch: bytes) -> bytes:
    """The live frame of one update; `patch` is an encoded JSON Patch."""
    return b'{"tournament":"%d","type":"update","epoch":%d,"seq":%d,"patch":%b}' % (tournament_id, epoch, seq, patch)


def snapshot_frame(tournament_id: int, epoch: int, seq: int, data: bytes) -> bytes:
    """The live frame of a snapshot; `data` is the encoded live data."""
    return b'{"tournament":"%d","type":"snapshot","epoch":%d,"seq":%d,"data":%b}' % (tournament_id, epoch, seq, data)


class _Position(msgspec.Struct):
    epoch: int
    seq: int


_position = msgspec.json.Decoder(_Position)


def frame_position(frame: bytes) -> tuple[int, int]:
    """(epoch, seq) of a frame. Raises msgspec.ValidationError or msgspec.DecodeError for what is no frame."""
    position = _position.decode(frame)
    return position.epoch, position.seq


def encode_changed(user_ids: Iterable[int]) -> bytes:
    """User ids as little-endian int64; empty means more than MAX_CHANGED."""
    ids = list(user_ids)
    return struct.pack(f"<{len(ids)}q", *ids) if len(ids) <= MAX_CHANGED else b""


def decode_changed(payload: bytes) -> set[int] | None:
    """The inverse; None means anyone may have changed."""
    return set(np.frombuffer(payload, dtype="<i8").tolist()) if payload else None


class OutcomeReply(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The outcome of one waited-for record.

    `outcome`: applied, ignored, refused; `score` and `subscore` in hundredths; ranks as of the batch's begin and end; `status` after the record.
    """

    partition: int
    offset: int
    kind: str
    outcome: str
    reason: str = ""
    detail: str = ""
    first: bool = False
    score: int | None = None
    rank: int | None = None
    previous_rank: int | None = None
    status: str = ""
    version: int = 0
    subscore: int | None = None


_outcomes = msgspec.msgpack.Decoder(list[OutcomeReply])


def encode_outcomes(outcomes: Sequence[OutcomeReply]) -> bytes:
    """Outcomes as MessagePack."""
    return msgspec.msgpack.encode(outcomes)


def decode_outcomes(payload: bytes) -> list[OutcomeReply]:
    """The inverse of `encode_outcomes`."""
    return _outcomes.decode(payload)


_notices = msgspec.msgpack.Decoder(list[tuple[int, bytes]])


def encode_notices(batch: Sequence[tuple[int, bytes]]) -> bytes:
    """Notices for live sockets, (user id, JSON) each, as MessagePack."""
    return msgspec.msgpack.encode(batch)


def decode_notices(payload: bytes) -> list[tuple[int, bytes]]:
    """The inverse of `encode_notices`."""
    return _notices.decode(payload)


def encode_patch(operations: Sequence[PatchOperation]) -> bytes:
    """A JSON Patch as bytes."""
    return msgspec.json.encode(operations)
