"""What owners publish for gateways: channel names, the update frame, who changed, and the outcomes that entrypoints wait for."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

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


def encode_patch(operations: list[dict[str, Any]]) -> bytes:
    """A JSON Patch as bytes."""
    return msgspec.json.encode(operations)
