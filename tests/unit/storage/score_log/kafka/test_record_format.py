from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from storage.ports import DeadLetter, LogError, LogRecord
from storage.score_log.kafka.record_format import (
    BATCH_HEADER_BYTES,
    NO_HEADERS,
    Headers,
    batches,
    dead_letter,
    headers_of,
    letter_headers,
    log_record,
    text,
)

NOW_MS = 1_800_000_000_000


def batch_of(first: int, *records: tuple[bytes | None, bytes | None, Any]) -> bytes:
    """A batch as a broker stores it: its first offset is filled in when it is appended."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for n, (key, value, headers) in enumerate(records):
        assert builder.append(n, NOW_MS + n, key, value, headers) is not None
    return first.to_bytes(8, "big") + bytes(builder.build())[8:]


def some(first: int, count: int, headers: Any = NO_HEADERS) -> bytes:
    return batch_of(first, *((b"7", b"%d" % (first + n), headers) for n in range(count)))


def read(data: bytes, after: int = -1) -> list[tuple[int, list[int]]]:
    return [(last, [record.offset for record in records]) for last, records in batches(data, after, "t/0")]


def test_batches_are_read_one_by_one() -> None:
    data = some(10, 2) + some(12, 1) + some(13, 3)
    assert read(data) == [(11, [10, 11]), (12, [12]), (15, [13, 14, 15])]
    assert [record.value for _, found in batches(data, -1, "t/0") for record in found] == [
        b"%d" % n for n in range(10, 16)
    ]


def test_a_fetch_may_begin_before_what_was_asked_for() -> None:
    data = some(10, 3) + some(13, 3)
    assert read(data, 9) == read(data)
    assert read(data, 11) == [(12, [12]), (15, [13, 14, 15])]
    assert read(data, 12) == [(15, [13, 14, 15])]
    assert read(data, 15) == []


@pytest.mark.parametrize("cut", [1, 30, BATCH_HEADER_BYTES, BATCH_HEADER_BYTES + 5])
def test_a_batch_that_did_not_fit_is_left_for_the_next_fetch(cut: int) -> None:
    assert read(some(10, 2) + some(12, 2)[:cut]) == [(11, [10, 11])]
    assert read(some(12, 2)[:cut]) == []


def empty(first: int, last: int) -> bytes:
    """A batch whose records are gone, as brokers keep it where they compact."""
    raw = bytearray(some(first, 1))[:BATCH_HEADER_BYTES]
    raw[8:12] = (BATCH_HEADER_BYTES - 12).to_bytes(4, "big")
    raw[23:27] = (last - first).to_bytes(4, "big")
    raw[57:61] = bytes(4)
    return with_checksum(bytes(raw))


def with_checksum(raw: bytes) -> bytes:
    return raw[:17] + crc32c(raw[21:]).to_bytes(4, "big") + raw[21:]


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_a_batch_without_records_moves_on() -> None:
    assert DefaultRecordBatch(empty(10, 14)).validate_crc()
    assert read(empty(10, 14)) == [(14, [])]
    assert read(empty(10, 14) + some(15, 1)) == [(14, []), (15, [15])]


def test_a_damaged_batch_is_an_error_that_names_it() -> None:
    data = bytearray(some(10, 2))
    data[-1] ^= 1
    with pytest.raises(LogError, match=r"t/0: the batch at offset 10 is damaged"):
        read(bytes(data))
    assert read(bytes(data) + some(12, 1), 11) == [(12, [12])]  # what nobody asks for is not looked at


def renamed(data: bytes, name: bytes, other: bytes) -> bytes:
    assert len(name) == len(other)
    return with_checksum(data.replace(name, other))


@pytest.mark.parametrize("log_append_time", [False, True])
def test_a_headers_name_that_is_not_utf_8_stalls_nothing(log_append_time: bool) -> None:
    """As aiokafka reads the same batch with a name that it can read."""
    headers: Any = [("palio-signature", b"k:1"), ("nameless", None), ("nameless", b"\xff" * 200)]
    data = batch_of(
        2**40, (b"k", b"v", NO_HEADERS), (None, None, headers), (b"x" * 300, b"", headers), (b"", b"y" * 70_000, [])
    )
    if log_append_time:
        stamped = bytearray(data)
        stamped[22] |= 8
        stamped[35:43] = (NOW_MS + 77).to_bytes(8, "big")
        data = with_checksum(bytes(stamped))

    def found(raw: bytes) -> list[tuple[Any, ...]]:
        ((last, records),) = batches(raw, -1, "t/0")
        assert last == 2**40 + 3
        return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in records]

    expected = [
        (*row[:4], [(name.replace("nameless", "\ufffd" * 8), content) for name, content in row[4]])
        for row in found(data)
    ]
    assert found(renamed(data, b"nameless", b"\xff" * 8)) == expected


@pytest.mark.parametrize(
    ("signature", "reply_to", "names"),
    [
        ("", "", []),
        ("k:1", "", ["palio-signature"]),
        ("", "r", ["palio-reply-to"]),
        ("k:1", "r", ["palio-signature", "palio-reply-to"]),
    ],
)
def test_a_record_of_ours_comes_back(signature: str, reply_to: str, names: list[str]) -> None:
    headers = headers_of(signature, reply_to)
    assert [name for name, _ in headers] == names
    ((_, (record,)),) = batches(batch_of(5, (b"7", b"{}", headers)), -1, "t/0")
    assert log_record(3, record, 99) == LogRecord(3, 5, 99, b"7", b"{}", signature, reply_to)


def test_a_record_that_was_moved_comes_back_too_also_as_a_dead_letter() -> None:
    headers = headers_of("", "r", "3/9")
    assert headers == [("palio-reply-to", b"r"), ("palio-moved-from", b"3/9")]
    ((_, (record,)),) = batches(batch_of(5, (b"7", b"{}", headers)), -1, "t/0")
    kept = log_record(3, record, 99)
    assert kept == LogRecord(3, 5, 99, b"7", b"{}", "", "r", "3/9")
    letter = DeadLetter(kept, "wrong_partition", "moved before")
    ((_, (record,)),) = batches(batch_of(0, (b"7", b"{}", letter_headers(letter))), -1, "dlq/0")
    assert dead_letter(record) == letter


def test_what_others_write_is_read_as_far_as_it_can_be() -> None:
    foreign: Any = [
        ("palio-signature", b"\xff"),
        ("palio-signature", b"last"),
        ("palio-reply-to", None),
        ("more", b"x"),
    ]
    ((_, (record,)),) = batches(batch_of(5, (None, None, foreign)), -1, "t/0")
    assert log_record(3, record, 99) == LogRecord(3, 5, 99, b"", b"", "last", "")
    assert text(b"a\xffb") == "a\ufffdb"
    assert text(None) == ""


def letter(**more: Any) -> DeadLetter:
    record = LogRecord(**{"partition": 3, "offset": 2**60, "time_ms": NOW_MS, "key": b"7", "value": b"\xff", **more})
    return DeadLetter(record, "malformed", "\u00fc: expected JSON")


@pytest.mark.parametrize("more", [{}, {"signature": "k:1"}, {"signature": "k:1", "reply_to": "r"}])
def test_a_dead_letter_comes_back(more: dict[str, str]) -> None:
    kept = letter(**more)
    ((_, (record,)),) = batches(batch_of(0, (kept.record.key, kept.record.value, letter_headers(kept))), -1, "dlq/0")
    assert dead_letter(record) == kept


@pytest.mark.parametrize("number", [None, b"", b"-5", b"x", b"1" * 20, b"\xb2", "\u0665".encode()])
def test_numbers_of_a_letter_that_are_none_read_as_minus_one(number: bytes | None) -> None:
    headers: Headers = [(name, number) for name in ("palio-partition", "palio-offset", "palio-time-ms")]  # type: ignore[misc]
    ((_, (record,)),) = batches(batch_of(0, (b"7", b"", headers)), -1, "dlq/0")
    read_letter = dead_letter(record)
    assert (read_letter.record.partition, read_letter.record.offset, read_letter.record.time_ms) == (-1, -1, -1)
    assert (read_letter.reason, read_letter.detail) == ("", "")


def test_the_checksum_of_these_tests_is_the_one_of_kafka() -> None:
    raw = some(10, 1)
    assert with_checksum(raw) == raw
    assert crc32c(b"123456789") == 0xE3069283
    assert zlib.crc32(b"123456789") != 0xE3069283


def test_a_cloud_event_whose_attributes_are_headers_is_read_as_one_in_json() -> None:
    headers: Any = [
        ("ce_specversion", b"1.0"),
        ("ce_type", b"palio.score.submitted"),
        ("ce_source", "/spiel/ä".encode()),
        ("ce_id", b"1"),
        ("ce_subject", b"42"),
        ("content-type", b"application/json"),
        ("palio-reply-to", b"r"),
    ]
    data = b'{"user_id": "5", "score": 1.5}'
    ((_, (record, plain)),) = batches(batch_of(5, (None, data, headers), (b"42", data, headers[6:])), -1, "t/0")
    kept = log_record(3, record, 99)
    assert msgspec.json.decode(kept.value) == {
        "specversion": "1.0", "type": "palio.score.submitted", "source": "/spiel/ä", "id": "1", "subject": "42",
        "data": {"user_id": "5", "score": 1.5},
    }  # fmt: skip
    assert (kept.key, kept.reply_to) == (b"", "r")
    assert log_record(3, plain, 99).value == data
