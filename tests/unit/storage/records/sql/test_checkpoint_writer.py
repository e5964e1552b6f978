"""What is checked before a checkpoint is written. What writing does is tests/contract/test_records.py's."""

from __future__ import annotations

import pytest

from storage.ports import Checkpoint, OutboxRow, StoredSnapshot
from storage.records.sql.checkpoint_writer import (
    IDS_A_STATEMENT,
    _parts,
    checked_partition,
    in_parts,
    partition_of_checkpoint,
)
from storage.records.sql.schema import SNAPSHOT_PART_BYTES
from tests.contract.test_records import participant, tournament

NOTHING = Checkpoint([], [], [], [], [])


def test_ids_are_cut_to_what_a_statement_takes() -> None:
    assert list(in_parts([])) == []
    ids = list(range(2 * IDS_A_STATEMENT + 1))
    parts = list(in_parts(ids))
    assert [len(part) for part in parts] == [IDS_A_STATEMENT, IDS_A_STATEMENT, 1]
    assert [number for part in parts for number in part] == ids


def test_a_checkpoint_is_of_one_partition() -> None:
    row = tournament(1, 10)
    of_rows = NOTHING._replace(tournaments=[row])
    assert partition_of_checkpoint(of_rows) == row.partition
    assert partition_of_checkpoint(NOTHING._replace(snapshots=[StoredSnapshot(1, 9, 10, b"")])) == 9
    assert partition_of_checkpoint(NOTHING._replace(projected=[("partition-7", 7, 5)])) == 7
    for several in (
        of_rows._replace(projected=[("partition-99", 99, 5)]),
        of_rows._replace(snapshots=[StoredSnapshot(1, 98, 10, b"")]),
        NOTHING,
    ):
        with pytest.raises(ValueError, match="expected a checkpoint of one partition"):
            partition_of_checkpoint(several)


def test_nobody_takes_part_in_what_is_not_there() -> None:
    for strangers in (
        NOTHING._replace(tournaments=[tournament(1, 10)], participants=[participant(2, 1)]),
        NOTHING._replace(tournaments=[tournament(1, 10)], outbox=[OutboxRow(3, 10, 0, "finished", b"")]),
    ):
        with pytest.raises(ValueError, match=r"that are not in the checkpoint: \{[23]\}"):
            checked_partition(strangers)


@pytest.mark.parametrize("size", [0, 1, SNAPSHOT_PART_BYTES, SNAPSHOT_PART_BYTES + 1])
def test_snapshots_are_stored_in_parts(size: int) -> None:
    data = bytes(size)
    parts = list(_parts(StoredSnapshot(7, 3, 10, data)))
    assert [part["part"] for part in parts] == list(range(max(1, -(-size // SNAPSHOT_PART_BYTES))))
    assert b"".join(part["data"] for part in parts) == data
    assert {(part["tournament_id"], part["log_offset"], part["log_partition"]) for part in parts} == {(7, 10, 3)}
