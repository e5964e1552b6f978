"""Parquet by pyarrow, DuckDB and Polars."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serve_app.formats.read import parquet
from serve_app.formats.read.parquet import read_parquet
from serve_app.formats.read.rows import FileRow


def written(columns: dict[str, Any], **options: Any) -> io.BytesIO:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink


def test_rows_have_exact_values_and_numbers(tmp_path: Path) -> None:
    rows = [(2**53 + 1, "Zoë", Decimal("912.50")), (2, None, Decimal("-0.05"))]
    frame = pl.DataFrame(rows, schema={"user": pl.Int64, "name": pl.String, "score": pl.Decimal(10, 2)}, orient="row")
    frame.write_parquet(tmp_path / "polars")
    duckdb.sql(
        f"COPY (SELECT * FROM read_parquet('{tmp_path}/polars') ORDER BY 1 DESC) TO '{tmp_path}/duckdb' (FORMAT parquet)"
    )
    wanted = [FileRow(n, dict(zip(("user", "name", "score"), row, strict=True))) for n, row in enumerate(rows, 1)]
    for name in ("polars", "duckdb"):
        with (tmp_path / name).open("rb") as file:
            assert list(read_parquet(file)) == wanted


def test_lists_are_no_columns_and_structs_are() -> None:
    (row,) = read_parquet(written({"user": [1], "prizes": [[1, 2]], "result": [{"time_s": 2}]}))
    assert row.fields == {"user": 1, "result": {"time_s": 2}}


def test_what_breaks_off_is_an_error_that_tells_where(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1", written({"user": [1] * 5000}).getvalue()[:-20], b""):
        with pytest.raises(ValueError, match="no Parquet: "):
            list(read_parquet(io.BytesIO(content)))
    numbers = {"user": list(range(100_000))}
    checked = {"compression": "none", "row_group_size": 50_000, "use_dictionary": False, "write_page_checksum": True}
    whole = bytearray(written(numbers, **checked).getvalue())
    half = len(whole) // 2
    whole[half : half + 40_000] = b"\xff" * 40_000
    with pytest.raises(ValueError, match=r"row \d+ or after it: no Parquet"):
        list(read_parquet(io.BytesIO(bytes(whole))))
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 10)
    with pytest.raises(ValueError, match="groups of rows of at most 10 bytes"):
        list(read_parquet(written({"user": list(range(100))})))
