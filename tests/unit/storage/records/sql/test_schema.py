"""Rows as they are stored and read. That databases keep them is tests/contract/test_records.py's."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import BigInteger, Integer

from storage.ports import OutboxRow, ParticipantRow, TournamentRow
from storage.records.sql.schema import (
    PARTICIPANT_COLUMNS,
    TOURNAMENT_COLUMNS,
    metadata,
    outbox,
    outbox_values,
    participant_row,
    participants,
    tournament_row,
    tournament_values,
    tournaments,
)
from tests.contract.test_records import participant, tournament


def stored(values: dict[str, Any], columns: Any) -> list[Any]:
    """As a database would give the columns back."""
    return [values[column.name] for column in columns]


@pytest.mark.parametrize(
    "changes", [{}, {"finished_ms": 5, "capacity": 7, "starts_ms": None, "ends_ms": None, "dedicated": True}]
)
def test_a_tournament_comes_back(changes: dict[str, Any]) -> None:
    row = tournament(7, 10, **changes)._replace(spec='{"name":"Prüfung"}'.encode())
    values = tournament_values(row)
    assert set(values) == {column.name for column in tournaments.c}
    read: Any = [*stored(values, TOURNAMENT_COLUMNS), "more"]
    assert tournament_row(read) == row
    assert len(TOURNAMENT_COLUMNS) == len(TournamentRow._fields)


def test_a_participant_comes_back_behind_whatever_columns() -> None:
    row = participant(7, 3)
    read: Any = ["more", *stored(row._asdict(), PARTICIPANT_COLUMNS)]
    assert participant_row(read) == row
    assert [column.name for column in PARTICIPANT_COLUMNS] == list(ParticipantRow._fields)
    assert set(row._asdict()) == {column.name for column in participants.c}


def test_an_effect_has_every_column() -> None:
    values = outbox_values(OutboxRow(7, 10, 2, "finished", b"{}"))
    assert set(values) == {column.name for column in outbox.c}
    assert (values["log_offset"], values["n"], values["kind"]) == (10, 2, "finished")


@pytest.mark.parametrize(
    ("status", "active"), [("scheduled", True), ("running", True), ("finished", False), ("cancelled", False)]
)
def test_what_is_over_is_not_active(status: str, active: bool) -> None:
    assert tournament_values(tournament(7, 10, status=status))["is_active"] is active


def test_names_are_kept_as_they_are_and_searched_as_folded() -> None:
    values = tournament_values(tournament(7, 10, name="Große  E\u0301cole"))
    assert (values["name"], values["name_folded"]) == ("Große  E\u0301cole", "grosse école")


def test_ids_and_times_are_64_bit_and_ids_are_ours() -> None:
    for table in metadata.tables.values():
        for column in table.c:
            if column.name.endswith("_ms") or column.name in ("tournament_id", "user_id", "log_offset"):
                assert isinstance(column.type, BigInteger), column
            if column.primary_key and isinstance(column.type, Integer):
                assert column.autoincrement is False, column
