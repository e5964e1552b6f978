"""Records as Kafka carries them: our headers, and decoding what was fetched.

Headers, all UTF-8: `palio-signature` (control records), `palio-reply-to` (the updates channel that gets the outcome). A dead letter has
both as the record had them, and `palio-reason`, `palio-detail`, `palio-partition`, `palio-offset`, `palio-time-ms` (decimal).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aiokafka.record.memory_records import MemoryRecords

from storage.base.errors import LogError
from storage.base.score_log import DeadLetter, LogRecord

SIGNATURE: Final = "palio-signature"
REPLY_TO: Final = "palio-reply-to"
REASON: Final = "palio-reason"
DETAIL: Final = "palio-detail"
PARTITION: Final = "palio-partition"
OFFSET: Final = "palio-offset"
TIME_MS: Final = "palio-time-ms"

Headers = list[tuple[str, bytes]]
NO_HEADERS: Final[Headers] = []


def headers_of(signature: str, reply_to: str) -> Headers:
    """The headers of a record of ours."""
    if not signature and not reply_to:
        return NO_HEADERS
    headers = []
    if signature:
        headers.append((SIGNATURE, signature.encode()))
    if reply_to:
        headers.append((REPLY_TO, reply_to.encode()))
    return headers


def batches(data: bytes, after: int, what: str) -> Iterator[tuple[int, list[Any]]]:
    """(last offset, records beyond `after`) of each batch; control batches are empty. Raises LogError for a damaged one.

    A batch at the end that did not fit is left out: it comes with the next fetch.
    """
    records = MemoryRecords(data)
    while records.has_next():
        batch = records.next_batch()
        if batch.next_offset - 1 <= after:
            continue
        if not batch.validate_crc():
            raise LogError(f"{what}: the batch at offset {batch.base_offset} is damaged: its checksum does not match")
        found = [] if batch.is_control_batch else [record for record in batch if record.offset > after]
        yield batch.next_offset - 1, found


def text(value: bytes | None) -> str:
    """A header's text; what is not UTF-8 was not written by us, and no signature of ours will match it."""
    return value.decode(errors="replace") if value else ""


def log_record(partition: int, record: Any, time_ms: int) -> LogRecord:
    """A record as read. A null key or value, which only others write, reads as empty."""
    headers = record.headers
    if not headers:
        return LogRecord(partition, record.offset, time_ms, record.key or b"", record.value or b"")
    named = dict(headers)
    return LogRecord(
        partition,
        record.offset,
        time_ms,
        record.key or b"",
        record.value or b"",
        text(named.get(SIGNATURE)),
        text(named.get(REPLY_TO)),
    )


def letter_headers(letter: DeadLetter) -> Headers:
    """The headers of a dead letter."""
    record = letter.record
    return [
        *headers_of(record.signature, record.reply_to),
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
