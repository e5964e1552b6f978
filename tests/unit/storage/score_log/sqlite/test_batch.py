from __future__ import annotations

from storage.ports import LogRecord, NewRecord
from storage.score_log.sqlite.batch import BatchBuilder, decode_groups, decode_records


def test_a_batch_groups_records_and_keeps_their_order() -> None:
    batch = BatchBuilder([0, 7, 100])
    assert batch.add([NewRecord(1, b"a", b"1"), NewRecord(2, b"b", b"2", "sig", "to")]) == [7, 100]
    assert batch.add([NewRecord(1, b"c", b"3")]) == [8]
    assert batch.heads == [0, 9, 101]
    groups = {p: decode_records(p, first, 55, rows) for p, first, _, rows in decode_groups(batch.encode())}
    assert groups == {
        1: [LogRecord(1, 7, 55, b"a", b"1"), LogRecord(1, 8, 55, b"c", b"3")],
        2: [LogRecord(2, 100, 55, b"b", b"2", "sig", "to")],
    }


def test_only_a_record_that_was_moved_costs_another_field() -> None:
    plain, moved = BatchBuilder([0]), BatchBuilder([0])
    plain.add([NewRecord(0, b"a", b"1", "sig", "to")])
    moved.add([NewRecord(0, b"a", b"1", "sig", "to", "3/9")])
    assert len(moved.encode()) == len(plain.encode()) + 4
    ((partition, first, _, rows),) = decode_groups(moved.encode())
    assert decode_records(partition, first, 9, rows) == [LogRecord(0, 0, 9, b"a", b"1", "sig", "to", "3/9")]


def test_a_stored_batch_of_version_1_is_read() -> None:
    """Bytes as the first version wrote them: a later one must still read them, or raise the schema's version."""
    stored = bytes.fromhex("91940205029294c40231 31c40161a0a094c4023131c40162a3736967a27265".replace(" ", ""))
    ((partition, first, size, rows),) = decode_groups(stored)
    assert (partition, first, size) == (2, 5, 2)
    assert decode_records(partition, first, 9, rows) == [
        LogRecord(2, 5, 9, b"11", b"a"),
        LogRecord(2, 6, 9, b"11", b"b", "sig", "re"),
    ]
