from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from actors.domain.results.table import results_table, told_of
from serve_app.formats.write import parquet as parquet_module
from serve_app.formats.write.parquet import write_parquet
from tests.support.results import table, tournament


@pytest.mark.parametrize("rows", [1, 3, 20_000])
def test_the_file_is_the_table(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(parquet_module, "ROWS_A_GROUP", rows)
    shown = table()
    data = b"".join(write_parquet(shown))
    read = pq.read_table(io.BytesIO(data))
    assert read.equals(shown)
    assert told_of(read) == told_of(shown)


def test_an_empty_one_is_a_file_too() -> None:
    shown = results_table(tournament([]), "running")
    assert pq.read_table(io.BytesIO(b"".join(write_parquet(shown)))).equals(shown)


def test_others_read_the_same_values(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"".join(write_parquet(table())))
    expected = [(1, "Ann", Decimal("912.50")), (4, None, Decimal("70.00")), (2, "=1+1", Decimal("0.50"))]
    frame = pd.read_parquet(path, dtype_backend="pyarrow")
    shown = zip(frame["user_id"], frame["name"], frame["score"], strict=True)
    assert [(u, None if pd.isna(n) else n, s) for u, n, s in shown][:3] == expected
    assert pl.read_parquet(path).select("user_id", "name", "score").rows()[:3] == expected
    assert duckdb.sql(f"SELECT user_id, name, score FROM '{path}'").fetchall()[:3] == expected
    assert duckdb.sql(f"SELECT sum(score) FROM '{path}'").fetchall() == [(Decimal("970.95"),)]
