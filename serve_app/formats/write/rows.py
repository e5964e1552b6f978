"""The rows that writers go through, out of a table of results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import pyarrow as pa

from actors.domain.columns import hundredths_of, numbers
from actors.domain.results.table import BOARD

ROWS_A_PIECE: Final = 1000


class Row(NamedTuple):
    """One who is in the table. `score` and `subscore` (None where there is none) in hundredths, times in ms since 1970; `groups` are those
    of the boards, in the order of `boards_of`."""

    rank: int
    user_id: int
    name: str | None
    score: int
    subscore: int | None
    attempts: int
    scored_ms: int
    groups: tuple[str | None, ...]

    @property
    def shown_name(self) -> str:
        """The name; of one who has none, the id."""
        return str(self.user_id) if self.name is None else self.name


def boards_of(table: pa.Table) -> list[str]:
    """The names of the boards."""
    return [name.removeprefix(BOARD) for name in table.schema.names if name.startswith(BOARD)]


def has_subscore(table: pa.Table) -> bool:
    """Whether equal scores are ordered by a second one."""
    return "subscore" in table.schema.names


def pieces(table: pa.Table) -> Iterator[list[Row]]:
    """All rows in their order, some at a time."""
    boards = [BOARD + name for name in boards_of(table)]
    for batch in table.to_batches(max_chunksize=ROWS_A_PIECE):
        count = len(batch)
        subscores = hundredths_of(batch.column("subscore")) if has_subscore(table) else [None] * count
        groups = zip(*(batch.column(name).to_pylist() for name in boards), strict=True) if boards else [()] * count
        columns = (
            numbers(batch.column("rank")).tolist(),
            numbers(batch.column("user_id")).tolist(),
            batch.column("name").to_pylist(),
            hundredths_of(batch.column("score")),
            subscores,
            numbers(batch.column("attempts")).tolist(),
            numbers(batch.column("scored_at").cast(pa.int64())).tolist(),
            groups,
        )
        yield [Row(*values) for values in zip(*columns, strict=True)]
