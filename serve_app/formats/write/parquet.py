"""Results as Parquet: the columns of `actors.domain.results.table`, snappy, in groups of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_A_GROUP: Final = 20_000


def write_parquet(table: pa.Table) -> Iterator[bytes]:
    """The file, a group of rows at a time."""
    sink = _Taken()
    with pq.ParquetWriter(sink, table.schema, compression="snappy") as writer:
        for start in range(0, max(1, len(table)), ROWS_A_GROUP):
            writer.write_table(table.slice(start, ROWS_A_GROUP))
            yield sink.taken()
    yield sink.taken()


class _Taken:
    """A file to write to, whose bytes are taken away as it grows."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        return

    def close(self) -> None:
        return

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
