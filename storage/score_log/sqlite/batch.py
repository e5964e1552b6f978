"""The records of one transaction, as stored in a row: MessagePack, grouped by partition so that a reader decodes only
what it asked for.

[[partition, first offset, number of records, [[key, value, signature, reply_to], ...]], ...]

A record that was moved has a fifth field, where it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from storage.ports.score_log import LogRecord, NewRecord


class _Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    key: bytes
    value: bytes
    signature: str
    reply_to: str
    moved_from: str = ""


_encoder = msgspec.msgpack.Encoder()
_groups = msgspec.msgpack.Decoder(list[tuple[int, int, int, msgspec.Raw]])
_rows = msgspec.msgpack.Decoder(list[_Row])


class BatchBuilder:
    """Gathers calls into one batch, assigning offsets from `heads` (the next offset of each partition, changed in place)."""

    def __init__(self, heads: list[int]) -> None:
        self.heads = heads
        self._by_partition: dict[int, tuple[int, list[tuple[bytes | str, ...]]]] = {}

    def add(self, records: Sequence[NewRecord]) -> list[int]:
        """Append one call's records; returns their offsets in the call's order."""
        heads = self.heads
        groups = self._by_partition
        offsets = []
        for partition, key, value, signature, reply_to, moved_from in records:
            row = (key, value, signature, reply_to, moved_from) if moved_from else (key, value, signature, reply_to)
            offset = heads[partition]
            heads[partition] = offset + 1
            offsets.append(offset)
            group = groups.get(partition)
            if group is None:
                groups[partition] = (offset, [row])
            else:
                group[1].append(row)
        return offsets

    def encode(self) -> bytes:
        """The batch as stored."""
        return _encoder.encode([(p, first, len(rows), rows) for p, (first, rows) in self._by_partition.items()])


def decode_groups(data: bytes) -> Iterable[tuple[int, int, int, msgspec.Raw]]:
    """(partition, first offset, number of records, encoded rows) of each partition in a batch."""
    return _groups.decode(data)


def decode_records(partition: int, first: int, time_ms: int, rows: msgspec.Raw) -> list[LogRecord]:
    """The records of one group."""
    return [
        LogRecord(partition, offset, time_ms, row.key, row.value, row.signature, row.reply_to, row.moved_from)
        for offset, row in enumerate(_rows.decode(rows), first)
    ]
