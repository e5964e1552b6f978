"""Records as Kafka carries them: our headers, and decoding what was fetched.

Headers, all UTF-8: `palio-signature` (control records), `palio-reply-to` (the updates channel that gets the outcome), `palio-moved-from`
(a score that lay in another partition: `partition/offset`). A dead letter has all as the record had them, and `palio-reason`,
`palio-detail`, `palio-partition`, `palio-offset`, `palio-time-ms` (decimal).

A CloudEvent in the binary content mode (headers `ce_...`, https://github.com/cloudevents/spec) is read as the same event in the JSON format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatch

from actors.domain.messages.cloud_events import structured
from storage.ports.errors import LogError
from storage.ports.score_log import DeadLetter, LogRecord

SIGNATURE: Final = "palio-signature"
REPLY_TO: Final = "palio-reply-to"
MOVED_FROM: Final = "palio-moved-from"
REASON: Final = "palio-reason"
DETAIL: Final = "palio-detail"
PARTITION: Final = "palio-partition"
OFFSET: Final = "palio-offset"
TIME_MS: Final = "palio-time-ms"
EVENT: Final = "ce_"  # begins the name of a CloudEvent's attribute

BATCH_HEADER_BYTES: Final = 61  # of record format 2; the last four of them are the number of records
_SIZE = struct.Struct(">i")

Headers = list[tuple[str, bytes]]
NO_HEADERS: Final[Headers] = []


def headers_of(signature: str, reply_to: str, moved_from: str = "") -> Headers:
    """The headers of a record of ours."""
    if not signature and not reply_to and not moved_from:
        return NO_HEADERS
    named = ((SIGNATURE, signature), (REPLY_TO, reply_to), (MOVED_FROM, moved_from))
    return [(name, content.encode()) for name, content in named if content]


class LenientRecord(NamedTuple):
    """A record as aiokafka gives it, of a batch that it cannot decode."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def batches(data: bytes, after: int, what: str) -> Iterator[tuple[int, list[Any]]]:
    """(last offset, records beyond `after`) of each batch; control batches are empty. Raises LogError for a damaged one.

    A batch at the end that did not fit is left out: it comes with the next fetch.
    """
    at = 0
    while len(data) - at >= BATCH_HEADER_BYTES:
        (size,) = _SIZE.unpack_from(data, at + 8)
        end = at + 12 + size
        if end > len(data):
            return
        raw = data[at:end]
        at = end
        batch = DefaultRecordBatch(raw)
        if batch.next_offset - 1 <= after:
            continue
        if not batch.validate_crc():
            raise LogError(f"{what}: the batch at offset {batch.base_offset} is damaged: its checksum does not match")
        found: list[Any] = []
        if not batch.is_control_batch:
            try:
                found = list(batch)
            except UnicodeDecodeError:
                # A header's name that is not UTF-8: a broker takes it, so it must not stall the partition.
                found = _lenient(batch, raw)
            except KafkaError as error:
                raise LogError(f"{what}: the batch at offset {batch.base_offset} cannot be read: {error}") from error
        yield batch.next_offset - 1, [record for record in found if record.offset > after]


def _lenient(batch: Any, raw: bytes) -> list[LenientRecord]:
    """The records of a batch (Kafka's record format, version 2), with names of headers as far as they are UTF-8.

    Of an uncompressed one: the topic is set so that a broker stores no other.
    """
    (count,) = _SIZE.unpack_from(raw, BATCH_HEADER_BYTES - 4)
    at = BATCH_HEADER_BYTES
    records = []
    for _ in range(count):
        _size, at = _varint(raw, at)
        delta_ms, at = _varint(raw, at + 1)  # behind the attributes, which are unused
        delta, at = _varint(raw, at)
        key, at = _bytes(raw, at)
        value, at = _bytes(raw, at)
        headers_count, at = _varint(raw, at)
        headers = []
        for _ in range(headers_count):
            name, at = _bytes(raw, at)
            content, at = _bytes(raw, at)
            headers.append((text(name), content))
        time_ms = batch.max_timestamp if batch.timestamp_type == 1 else batch.first_timestamp + delta_ms
        records.append(LenientRecord(batch.base_offset + delta, time_ms, key, value, headers))
    return records


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def _bytes(raw: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = _varint(raw, at)
    return (None, at) if size < 0 else (raw[at : at + size], at + size)


def text(value: bytes | None) -> str:
    """A header's text; what is not UTF-8 was not written by us, and no signature of ours will match it."""
    return value.decode(errors="replace") if value else ""


def log_record(partition: int, record: Any, time_ms: int) -> LogRecord:
    """A record as read. A null key or value, which only others write, reads as empty."""
    headers = record.headers
    if not headers:
        return LogRecord(partition, record.offset, time_ms, record.key or b"", record.value or b"")
    named = dict(headers)
    value = record.value or b""
    if EVENT + "specversion" in named:
        value = structured({name[3:]: text(content) for name, content in headers if name.startswith(EVENT)}, value)
    return LogRecord(
        partition,
        record.offset,
        time_ms,
        record.key or b"",
        value,
        text(named.get(SIGNATURE)),
        text(named.get(REPLY_TO)),
        text(named.get(MOVED_FROM)),
    )


def letter_headers(letter: DeadLetter) -> Headers:
    """The headers of a dead letter."""
    record = letter.record
    return [
        *headers_of(record.signature, record.reply_to, record.moved_from),
        (REASON, letter.reason.encode()),
        (DETAIL, letter.detail.encode()),
        (PARTITION, b"%d" % record.partition),
        (OFFSET, b"%d" % record.offset),
        (TIME_MS, b"%d" % record.time_ms),
    ]


def dead_letter(record: Any) -> DeadLetter:
    """A dead letter as read. Numbers that are none, which only others write, read as -1."""
    named = dict(record.headers)
    kept = log_record(_number(named.get(PARTITION)), record, _number(named.get(TIME_MS)))
    return DeadLetter(
        kept._replace(offset=_number(named.get(OFFSET))), text(named.get(REASON)), text(named.get(DETAIL))
    )


def _number(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() and len(value) < 20 else -1
