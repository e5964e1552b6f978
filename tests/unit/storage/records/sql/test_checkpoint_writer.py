"""What is checked and ordered before a checkpoint is written. What writing does is tests/contract/test_records.py's."""

from __future__ import annotations

from random import Random

import pytest

from storage.ports import Checkpoint, OutboxRow, ParticipantRow, StoredSnapshot
from storage.records.sql import checkpoint_writer as module
from storage.records.sql.checkpoint_writer import (
    IDS_A_STATEMENT,
    _parts,
    check_and_order,
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


async def test_nobody_takes_part_in_what_is_not_there() -> None:
    for strangers in (
        NOTHING._replace(tournaments=[tournament(1, 10)], participants=[participant(2, 1)]),
        NOTHING._replace(tournaments=[tournament(1, 10)], outbox=[OutboxRow(3, 10, 0, "finished", b"")]),
    ):
        with pytest.raises(ValueError, match=r"that are not in the checkpoint: \{[23]\}"):
            await check_and_order(strangers)


async def test_rows_are_in_the_order_of_their_keys() -> None:
    effects = [OutboxRow(2, 5, 1, "a", b""), OutboxRow(2, 5, 0, "b", b""), OutboxRow(1, 9, 0, "c", b"")]
    rows = [tournament(number, 10)._replace(partition=3) for number in (3, 1, 2)]
    partition, ordered = await check_and_order(
        Checkpoint(
            rows,
            [StoredSnapshot(number, 3, 10, b"") for number in (2, 1)],
            [participant(number, user) for number, user in ((2, 1), (1, 9), (1, 2))],
            effects,
            [("tournament-9", 3, 1), ("partition-4", 3, 1)],
        )
    )
    assert partition == 3
    assert [row.tournament_id for row in ordered.tournaments] == [1, 2, 3]
    assert [row.tournament_id for row in ordered.snapshots] == [1, 2]
    assert [(row.tournament_id, row.user_id) for row in ordered.participants] == [(1, 2), (1, 9), (2, 1)]
    assert [(row.tournament_id, row.offset, row.n) for row in ordered.outbox] == [(1, 9, 0), (2, 5, 0), (2, 5, 1)]
    assert [scope for scope, _, _ in ordered.projected] == ["partition-4", "tournament-9"]


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 13])
async def test_many_participants_are_ordered_in_turns(
    count: int, shuffled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_A_TURN", 4)
    rows: list[ParticipantRow] = [participant(1, user) for user in range(1, count + 1)]
    given = Random(5).sample(rows, count) if shuffled else rows
    _, ordered = await check_and_order(NOTHING._replace(tournaments=[tournament(1, 10)], participants=given))
    assert list(ordered.participants) == rows


@pytest.mark.parametrize("size", [0, 1, SNAPSHOT_PART_BYTES, SNAPSHOT_PART_BYTES + 1])
def test_snapshots_are_stored_in_parts(size: int) -> None:
    data = bytes(size)
    parts = list(_parts(StoredSnapshot(7, 3, 10, data)))
    assert [part["part"] for part in parts] == list(range(max(1, -(-size // SNAPSHOT_PART_BYTES))))
    assert b"".join(part["data"] for part in parts) == data
    assert {(part["tournament_id"], part["log_offset"], part["log_partition"]) for part in parts} == {(7, 10, 3)}
