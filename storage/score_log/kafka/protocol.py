"""Requests to a broker that aiokafka lacks, or encodes at a cost that counts: see Kafka's protocol guide.

Metadata version 12 tells the ids of topics. Produce version 7 and Fetch version 11 name some fifty partitions each time; encoded field by
field they cost more than the records in them, so here each partition is one `struct` call.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

NO_ID = uuid.UUID(int=0)


class _Uuid(AbstractType):  # type: ignore[misc]
    """16 bytes, big-endian."""

    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


_TAGS = ("tags", TaggedFields)


class _TopicResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                _TAGS,
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _TopicRequest(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _TopicResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class TopicRequest(Request[_TopicRequest]):  # type: ignore[misc]
    """Asks for topics by name, without making them."""

    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: Any) -> Any:
        """See aiokafka's Request."""
        return request_struct_class([(NO_ID, name, {}) for name in self._topics], False, False, {})


class TopicState(NamedTuple):
    """A topic as a broker knows it; `error_code` as in Kafka's protocol, 0 for none. `replicas` and `in_sync`, of these: of each partition."""

    error_code: int
    topic_id: uuid.UUID
    partitions: int
    replicas: list[int]
    in_sync: list[int]


def topic_states(response: Any) -> dict[str, TopicState]:
    """What a response says of each topic."""
    states = {}
    for code, name, topic_id, _internal, partitions, _operations, _tags in response.topics:
        replicas, in_sync = [len(p[4]) for p in partitions], [len(p[5]) for p in partitions]
        states[name] = TopicState(code, topic_id, len(partitions), replicas, in_sync)
    return states


class _Packed(RequestStruct):  # type: ignore[misc]
    """A request whose body is packed already."""

    API_KEY = API_VERSION = -1
    RESPONSE_TYPE: Any = None
    SCHEMA = Schema()

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    def encode(self) -> bytes:
        return self._body


class Produced(NamedTuple):
    """What a broker says of one partition's batch; `offset` is that of its first record."""

    topic: str
    partition: int
    error_code: int
    offset: int


class _ProduceResponse(Response):  # type: ignore[misc]
    API_KEY = 0
    API_VERSION = 7
    SCHEMA = Schema()
    parts: list[Produced]

    @classmethod
    def decode(cls, data: BytesIO) -> _ProduceResponse:
        response = cls()
        response.parts = []
        buffer = data.read()
        (topics,) = _INT32.unpack_from(buffer, 0)
        at = 4
        for _ in range(topics):
            topic, at = _string(buffer, at)
            (count,) = _INT32.unpack_from(buffer, at)
            at += 4
            for _ in range(count):
                partition, code, offset, _time_ms, _start = _PRODUCED.unpack_from(buffer, at)
                at += _PRODUCED.size
                response.parts.append(Produced(topic, partition, code, offset))
        return response


class _Produce(_Packed):
    API_KEY = 0
    API_VERSION = 7
    RESPONSE_TYPE = _ProduceResponse


class ProduceRequest(Request[_Produce]):  # type: ignore[misc]
    """Batches to append, by topic and partition, acknowledged by all replicas in sync; a broker waits `timeout_ms` for them."""

    API_KEY = 0

    def __init__(self, batches: Mapping[str, Sequence[tuple[int, bytes]]], timeout_ms: int) -> None:
        pieces = [_PRODUCE.pack(-1, -1, timeout_ms, len(batches))]
        for topic, parts in batches.items():
            name = topic.encode()
            pieces += (_INT16.pack(len(name)), name, _INT32.pack(len(parts)))
            for partition, data in parts:
                pieces += (_PART.pack(partition, len(data)), data)
        self._body = b"".join(pieces)

    def build(self, request_struct_class: Any) -> Any:
        """See aiokafka's Request."""
        return request_struct_class(self._body)


class Fetched(NamedTuple):
    """What a broker gave of one partition: whole record batches as stored, the first of which may begin before what was asked for."""

    partition: int
    error_code: int
    data: bytes


class _FetchResponse(Response):  # type: ignore[misc]
    API_KEY = 1
    API_VERSION = 11
    SCHEMA = Schema()
    error_code: int
    parts: list[Fetched]

    @classmethod
    def decode(cls, data: BytesIO) -> _FetchResponse:
        response = cls()
        response.parts = []
        buffer = data.read()
        _throttled, response.error_code, _session, topics = _FETCHED.unpack_from(buffer, 0)
        at = _FETCHED.size
        for _ in range(topics):
            _topic, at = _string(buffer, at)
            (count,) = _INT32.unpack_from(buffer, at)
            at += 4
            for _ in range(count):
                partition, code, _end, _stable, _start, aborted = _FETCHED_PART.unpack_from(buffer, at)
                at += _FETCHED_PART.size + 16 * max(aborted, 0)
                _replica, size = _PART.unpack_from(buffer, at)
                at += _PART.size
                records = buffer[at : at + size] if size > 0 else b""
                at += len(records)
                response.parts.append(Fetched(partition, code, records))
        return response


class _Fetch(_Packed):
    API_KEY = 1
    API_VERSION = 11
    RESPONSE_TYPE = _FetchResponse


class FetchRequest(Request[_Fetch]):  # type: ignore[misc]
    """The records of one topic's partitions from offsets on; a broker waits up to `wait_ms` for the first.

    `max_bytes` in all and `max_part_bytes` of one partition; a first batch that is larger comes whole.
    """

    API_KEY = 1

    def __init__(
        self, topic: str, offsets: Mapping[int, int], wait_ms: int, max_bytes: int, max_part_bytes: int
    ) -> None:
        name = topic.encode()
        pieces = [_FETCH.pack(-1, wait_ms, 1, max_bytes, 0, 0, -1, 1, len(name)), name, _INT32.pack(len(offsets))]
        pieces += [_FETCH_PART.pack(partition, -1, offset, -1, max_part_bytes) for partition, offset in offsets.items()]
        pieces.append(_INT32.pack(0) + _INT16.pack(0))  # no topics to forget; no rack
        self._body = b"".join(pieces)

    def build(self, request_struct_class: Any) -> Any:
        """See aiokafka's Request."""
        return request_struct_class(self._body)


_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_PART = struct.Struct(">ii")  # produce: partition, size; fetch: preferred replica, size
_PRODUCE = struct.Struct(">hhii")  # no transactional id, acks, timeout, number of topics
_PRODUCED = struct.Struct(">ihqqq")  # partition, error code, first offset, time, log start
_FETCH = struct.Struct(
    ">iiiibiiih"
)  # replica, wait, min and max bytes, isolation, session id and epoch, topics, name's length
_FETCH_PART = struct.Struct(">iiqqi")  # partition, leader epoch, offset, log start, max bytes
_FETCHED = struct.Struct(">ihii")  # throttle time, error code, session id, number of topics
_FETCHED_PART = struct.Struct(
    ">ihqqqi"
)  # partition, error code, end, stable end, start, number of aborted transactions


def _string(buffer: bytes, at: int) -> tuple[str, int]:
    (size,) = _INT16.unpack_from(buffer, at)
    end = at + 2 + size
    return buffer[at + 2 : end].decode(), end
