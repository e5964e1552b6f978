"""Puts the members' rows of a snapshot and of the deltas behind it together, as `actors.domain.codec` has them.

Of each member the newest row counts. Who was placed anew stands behind all equals that were there before, those of one delta among
themselves as they stand in it; whoever was not keeps the place among equals. So the table is the one that the ranking had.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from msgspec import UNSET
from numpy.typing import NDArray

from actors.domain.columns import arrow_numbers, flags, numbers
from actors.domain.messages import Spec

MOVED: Final = "moved"  # a delta's column: who was placed anew


def with_deltas(spec: Spec, whole: pa.RecordBatch, deltas: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """The rows of a snapshot as they are after some deltas. Raises pa.ArrowException, KeyError."""
    moved = np.concatenate([np.ones(len(whole), np.bool_), *(flags(rows.column(MOVED)) for rows in deltas)])
    parts = [whole, *(rows.drop_columns([MOVED]) for rows in deltas)]
    # what only some members have is a column only where anybody has it
    table = pa.concat_tables([pa.Table.from_batches([rows]) for rows in parts], promote_options="default")
    rows = table.combine_chunks().to_batches()[0] if len(table) else whole
    newest, placed = _newest(numbers(rows.column("user_id")), moved)
    order: NDArray[np.int64] = _in_table_order(spec, rows, newest, placed)
    return rows.take(arrow_numbers(order))


def _newest(users: NDArray[np.generic], moved: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The last row of each user, by user id, and the last one in which each was placed anew."""
    by_user = users.argsort(kind="stable")
    other = np.ones(len(users) + 1, np.bool_)  # whether a row is of another user than the one before
    np.not_equal(users[by_user][1:], users[by_user][:-1], out=other[1:-1])
    rows = np.where(moved[by_user], by_user, -1)
    placed = np.maximum.reduceat(rows, np.flatnonzero(other[:-1])) if len(rows) else rows
    return by_user[other[1:]], placed


def _in_table_order(
    spec: Spec, rows: pa.RecordBatch, newest: NDArray[np.int64], placed: NDArray[np.int64]
) -> NDArray[np.int64]:
    """These rows as a snapshot has them: those with a score in the order of the table, then the others as they come."""
    column = rows.column("score")
    has_score = flags(column.is_valid())[newest]
    scored = newest[has_score]
    keys = [placed[has_score]]
    if spec.subscore is not UNSET:
        subscores = numbers(rows.column("subscore"))[scored].astype(np.int64)
        keys.append(-subscores if spec.subscore.order == "desc" else subscores)
    scores = numbers(column)[scored].astype(np.int64)
    keys.append(-scores if spec.order == "desc" else scores)
    return np.concatenate((scored[np.lexsort(keys)], newest[~has_score]))
