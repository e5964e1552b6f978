"""Parquet: the columns that hold one value a row, or a struct; a thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.text import MAX_COLUMNS

ROWS_AT_ONCE: Final = 1000
MAX_GROUP_BYTES: Final = 1024**3  # what a group of rows says that it takes in memory


def read_parquet(file: BinaryIO) -> Iterator[FileRow]:
    """Rows with Python's values: decimals are exact."""
    file.seek(0)
    number = 0
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            names = _columns(parquet)
            for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE, columns=names, use_threads=False):
                for fields in batch.to_pylist():
                    number += 1
                    yield FileRow(number, fields)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        where = f"row {number + 1} or after it: " if number else ""
        raise ValueError(f"{where}no Parquet: {str(error).splitlines()[0][:200]}") from None


def parquet_rows(file: BinaryIO) -> int:
    """How many rows it says that it has. Raises ValueError."""
    file.seek(0)
    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"no Parquet: {str(error).splitlines()[0][:200]}") from None


def _columns(parquet: pq.ParquetFile) -> list[str]:
    schema = parquet.schema_arrow
    if len(schema) > MAX_COLUMNS:
        raise ValueError(f"expected at most {MAX_COLUMNS} columns, got {len(schema)}")
    for index in range(parquet.metadata.num_row_groups):
        size_bytes = parquet.metadata.row_group(index).total_byte_size
        if size_bytes > MAX_GROUP_BYTES:
            raise ValueError(f"expected groups of rows of at most {MAX_GROUP_BYTES} bytes, got {size_bytes}")
    names = [
        field.name for field in schema if not (pa.types.is_nested(field.type) and not pa.types.is_struct(field.type))
    ]
    if len(set(names)) != len(names):
        raise ValueError("expected a different name for each column")
    return names
