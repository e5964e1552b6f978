"""A tournament's results as columns: exact decimals, times with their zone. The rows that exports write, and that the archive keeps. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from actors.domain.columns import arrow_decimals, arrow_flags, arrow_numbers, arrow_texts, arrow_times
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.tournament import Tournament
from actors.domain.views import view

BOARD: Final = "board_"  # before a board's name: the group of each participant
TOLD: Final = b"palio"  # in the schema's metadata: the tournament as its view shows it, as JSON
_OF_A_MOMENT: Final = ("top", "position")  # parts of the view that say nothing of the results


def results_table(state: Tournament, status: str, *, everybody: bool = False) -> pa.Table:
    """Those with a rank, as listed; with `everybody` also who takes part without one: the disqualified, then those without a score, by id.

    Columns: rank (int32), user_id (int64), name, score (decimal128(10, 2)), subscore (the same, where there is one), attempts (int32),
    scored_at and joined_at (timestamp, ms, UTC), with `everybody` disqualified (bool), and `board_<name>` for each board. `state` is one
    that may be shown to whoever reads it (`actors.domain.life.freeze.shown`).
    """
    ranking, members = state.ranking, state.members
    slots = ranking.slots(0, len(ranking))
    ranked = scored = len(slots)
    if everybody:
        hidden, unscored = _others(state, slots)
        slots = np.concatenate((slots, hidden, unscored))
        scored += len(hidden)
    count = len(slots)
    has_rank, has_score = np.arange(count) < ranked, np.arange(count) < scored
    columns: dict[str, pa.Array] = {
        "rank": arrow_numbers(_padded(ranking.ranks(slots[:ranked]), count, np.int32), has_rank),
        "user_id": arrow_numbers(members.users.user_ids(slots)),
        "name": arrow_texts([members.names[slot] for slot in slots.tolist()]),
        "score": arrow_decimals(_padded(ranking.scores_of(slots[:scored]), count, np.int64), has_score),
    }
    if isinstance(ranking, SubscoreRanking):
        subscores = _padded(ranking.subscores_of(slots[:scored]), count, np.int64)
        columns["subscore"] = arrow_decimals(subscores, has_score)
    columns |= {
        "attempts": arrow_numbers(np.frombuffer(members.attempts, np.int32)[slots]),
        "scored_at": arrow_times(np.frombuffer(members.scored_ms, np.int64)[slots], has_score),
        "joined_at": arrow_times(np.frombuffer(members.joined_ms, np.int64)[slots]),
    }
    if everybody:
        columns["disqualified"] = arrow_flags(np.isin(slots, list(members.disqualified)))
    for board, groups in state.groups.items():
        columns[BOARD + board] = arrow_texts([groups.of(slot) for slot in slots.tolist()])
    told = {name: value for name, value in view(state, 0, 0, status).items() if name not in _OF_A_MOMENT}
    return pa.table(columns, metadata={TOLD: msgspec.json.encode(told)})


def told_of(table: pa.Table) -> dict[str, Any]:
    """The tournament that a table is of, as its view shows it."""
    told: dict[str, Any] = msgspec.json.decode(table.schema.metadata[TOLD])
    return told


def encode_results(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def decode_results(data: bytes) -> pa.Table:
    """The inverse of `encode_results`; the columns lie in `data`."""
    return pa.ipc.open_stream(data).read_all()


def _others(state: Tournament, listed: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Who takes part and is not listed: those with a score, in its order, and those without one, by user id."""
    members = state.members
    rest = np.frombuffer(bytes(members.active), np.bool_).copy()
    rest[listed] = False
    scored = state.ranking.ordered()
    hidden = scored[rest[scored]].astype(np.int32)
    rest[scored] = False
    unscored = np.flatnonzero(rest).astype(np.int32)
    return hidden, unscored[members.users.user_ids(unscored).argsort()]


def _padded(values: NDArray[np.generic], count: int, kind: type[np.generic]) -> NDArray[np.generic]:
    column = np.zeros(count, kind)
    column[: len(values)] = values
    return column
