from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from actors.domain.messages import Disqualify, End
from actors.domain.prizes.rules import PrizeRule
from actors.domain.results.archive import archive_table, decode_archive, encode_archive
from actors.domain.results.table import told_of
from actors.domain.tournament import Tournament
from tests.support.histories import Step
from tests.support.results import BEGIN_MS, HOUR_MS, tournament

RULES = [
    {"ranks": [1, 2], "amount": "100.01", "currency": "EUR"},
    {"ranks": [1], "item": "a mug \u2615"},
    {"ranks": [3], "amount": "500", "currency": "JPY"},
]


def finished() -> Tournament:
    return tournament(
        [(1, 91_250), (2, 50), (3, -1_205), (4, 7_000), (5, 1)],
        ["Ann", "=1+1", None, "Zo\u00eb", "Eve"],
        Step(BEGIN_MS + HOUR_MS // 2, Disqualify(command_id="d", user_id="5", reason="two accounts", by="9")),
        Step(BEGIN_MS + HOUR_MS // 2 + 1, End(command_id="end")),
        ties="shared",
        prizes=msgspec.convert(RULES, tuple[PrizeRule, ...]),
    )


EXPECTED = [
    (1, 1, "Ann", Decimal("912.50"), False),
    (2, 4, "Zo\u00eb", Decimal("70.00"), False),
    (3, 2, "=1+1", Decimal("0.50"), False),
    (4, 3, None, Decimal("-12.05"), False),
    (None, 5, "Eve", Decimal("0.01"), True),
]
NAMES = ("rank", "user_id", "name", "score", "disqualified")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "7.parquet"
    path.write_bytes(encode_archive(archive_table(finished())))
    return path


def test_the_file_has_everybodys_final_row_with_what_they_win(path: Path) -> None:
    table = decode_archive(path.read_bytes())
    assert list(zip(*(table.column(name).to_pylist() for name in NAMES), strict=True)) == EXPECTED
    prizes = dict(zip(table.column("user_id").to_pylist(), table.column("prizes").to_pylist(), strict=True))
    money: dict[str, Any] = {"rule": 0, "amount": "100.01", "currency": "EUR", "item": None, "count": None}
    mug: dict[str, Any] = {"rule": 1, "amount": None, "currency": None, "item": "a mug \u2615", "count": 1}
    assert prizes[1] == [money, mug]
    assert prizes[4] == [money]
    assert [prize["amount"] for prize in prizes[2]] == ["500"]
    assert prizes[3] == prizes[5] == []
    told = told_of(table)
    assert (told["status"], told["revision"], told["prizes"][1]["item"]) == ("finished", 0, "a mug \u2615")
    assert table.schema.field("score").type == pa.decimal128(10, 2)


def test_it_follows_from_the_state_alone() -> None:
    assert encode_archive(archive_table(finished())) == encode_archive(archive_table(finished()))


def test_without_prizes_and_participants_it_is_a_file_too() -> None:
    table = archive_table(tournament([], [], Step(BEGIN_MS + 1, End(command_id="end"))))
    assert decode_archive(encode_archive(table)).equals(table)
    assert len(table) == 0


def test_pandas_duckdb_and_polars_read_the_same_values(path: Path) -> None:
    frame = pd.read_parquet(path, dtype_backend="pyarrow")
    rows = [
        tuple(None if pd.isna(value) else value for value in row) for row in frame[list(NAMES)].itertuples(index=False)
    ]
    assert rows == EXPECTED
    assert pl.read_parquet(path).select(*NAMES).rows() == EXPECTED
    assert duckdb.sql(f"SELECT {', '.join(NAMES)} FROM '{path}'").fetchall() == EXPECTED
    won = duckdb.sql(f"SELECT user_id, unnest(prizes).amount FROM '{path}' ORDER BY 1").fetchall()
    assert won == [(1, "100.01"), (1, None), (2, "500"), (4, "100.01")]
    assert pl.read_parquet(path)["scored_at"].dtype == pl.Datetime("ms", "UTC")
