"""The archive's file of a finished tournament: everybody's final row with what they win, as Parquet; the tournament in its metadata. Pure.

The bytes follow from the state alone (and the version of pyarrow), so writing the file again gives the same.
"""

from __future__ import annotations

import io
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import UNSET

from actors.domain.prizes.allocation import Award, allocate
from actors.domain.prizes.money import amount_text
from actors.domain.prizes.standings import final_table
from actors.domain.results.table import results_table
from actors.domain.tournament import Tournament

ROWS_A_GROUP: Final = 100_000
PRIZE: Final = pa.struct(
    [
        pa.field("rule", pa.int32(), nullable=False),  # its number in `prizes` of the tournament
        pa.field("amount", pa.utf8()),  # decimal text with all decimals of the currency; null for an item
        pa.field("currency", pa.utf8()),
        pa.field("item", pa.utf8()),
        pa.field("count", pa.int64()),  # of the item
    ]
)


def archive_table(state: Tournament) -> pa.Table:
    """`results_table` of everybody, and `prizes`: what each wins by the tournament's rules, a list of PRIZE, empty for nothing."""
    table = results_table(state, state.status, everybody=True)
    won: dict[int, list[dict[str, Any]]] = {}
    rules = () if state.spec.prizes is UNSET else state.spec.prizes
    for award in allocate(rules, final_table(state, rules)) if rules else ():
        won.setdefault(award.user_id, []).append(_prize(award, *rules[award.rule].what))
    prizes = [won.get(user, []) for user in table.column("user_id").to_pylist()]
    return table.append_column("prizes", pa.array(prizes, pa.list_(PRIZE)))


def encode_archive(table: pa.Table) -> bytes:
    """A table of results as Parquet, compressed with snappy, which every reader knows, also small ones in browsers."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy", row_group_size=ROWS_A_GROUP)
    return bytes(sink.getvalue())


def decode_archive(data: bytes) -> pa.Table:
    """The inverse of `encode_archive`. Raises pyarrow.ArrowException for what is no Parquet."""
    return pq.read_table(io.BytesIO(data))


def _prize(award: Award, currency: str, item: str) -> dict[str, Any]:
    if currency:
        return {"rule": award.rule, "amount": amount_text(award.units, currency), "currency": currency}
    return {"rule": award.rule, "item": item, "count": award.units}
