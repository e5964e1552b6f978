"""The attempts of a tournament that counted, as columns: what its owner tells beside each snapshot, and analytics keep.

A block is bytes: a version, how many attempts, and four columns (offsets and times as differences), packed.
Of a user it holds the id alone, which is what erasing a user leaves, too.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

KIND: Final = "attempts"  # of the effect that carries a block, until it is in the series
KEPT_KIND: Final = "attempts_kept"  # from then on
ANEW_KIND: Final = (
    "anew_attempts"  # of a mark: the series of this tournament are to be made again; the first of the names
)
FIRST_N: Final = 1_000  # of an offset's effects: beyond those of others, of which a record has a few
KINDS: Final = (KIND, KEPT_KIND, ANEW_KIND)
ANEW_N: Final = FIRST_N - 1  # of the mark
MAX_WAITING: Final = 1_000_000  # attempts of a tournament that wait for a checkpoint, 32 bytes each
BLOCK_ATTEMPTS: Final = 100_000  # of one block: 3.2 MB before it is packed
_VERSION: Final = 1
_HEAD: Final = struct.Struct("<BI")
_COLUMN: Final = np.dtype("<i8")
_ROW: Final = struct.Struct("<4q")  # of an attempt that waits, in the order of Columns
_DIFFERENCES: Final = 2  # of the columns, the first ones, are stored as differences


class AttemptsError(ValueError):
    """Bytes that are no block of attempts."""


class Columns(NamedTuple):
    """Attempts by their offsets in the log: when (ms), whose (user id), and the member's score after it (hundredths)."""

    offsets: NDArray[np.int64]
    times_ms: NDArray[np.int64]
    users: NDArray[np.int64]
    scores: NDArray[np.int64]

    @classmethod
    def nothing(cls) -> Columns:
        """No attempts."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, empty)

    @property
    def size(self) -> int:
        """How many."""
        return int(self.offsets.size)


class Attempts:
    """Those since the last checkpoint, MAX_WAITING at most: rows of bytes, since one append is what an owner can spend on each."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows = bytearray()

    def __len__(self) -> int:
        return len(self._rows) // _ROW.size

    def add(self, offset: int, time_ms: int, user_id: int, score: int) -> bool:
        """One that counted; offsets only grow. False, with nothing noted, when too many wait."""
        if len(self._rows) >= MAX_WAITING * _ROW.size:
            return False
        self._rows += _ROW.pack(offset, time_ms, user_id, score)
        return True

    def blocks(self) -> Iterator[bytes]:
        """All of them, at least one block."""
        for start in range(0, max(1, len(self)), BLOCK_ATTEMPTS):
            yield _encoded(self._columns()[:, start : start + BLOCK_ATTEMPTS])

    def forget(self, upto: int) -> None:
        """Those up to an offset are durable."""
        count = int(np.searchsorted(self._columns()[0], upto, side="right"))
        del self._rows[: count * _ROW.size]

    def _columns(self) -> NDArray[np.int64]:
        return np.frombuffer(self._rows, _COLUMN).reshape(-1, len(Columns._fields)).T


def encode_block(columns: Columns) -> bytes:
    """A block of attempts in the order of their offsets."""
    return _encoded(np.array(columns, _COLUMN))


def _encoded(columns: NDArray[np.int64]) -> bytes:
    packed = columns.copy(order="C")
    packed[:_DIFFERENCES, 1:] -= columns[:_DIFFERENCES, :-1]
    return _HEAD.pack(_VERSION, columns.shape[1]) + zlib.compress(packed.tobytes(), 1)


def decode_blocks(blocks: Iterable[bytes]) -> Columns:
    """All attempts of some blocks by their offsets, each once however many blocks tell of it. Raises AttemptsError."""
    read = [_decode(block) for block in blocks]
    if not read:
        return Columns.nothing()
    together = [np.concatenate(column) for column in zip(*read, strict=True)]
    _, first = np.unique(together[0], return_index=True)
    return Columns(*(column[first] for column in together))


def _decode(block: bytes) -> Columns:
    try:
        version, count = _HEAD.unpack_from(block)
        if version != _VERSION or count > BLOCK_ATTEMPTS:
            raise AttemptsError(f"expected a block of version {_VERSION}, got version {version} of {count} attempts")
        unpack = zlib.decompressobj()
        data = unpack.decompress(block[_HEAD.size :], len(Columns._fields) * 8 * count + 1)
    except (struct.error, zlib.error) as error:
        raise AttemptsError(f"not a block of attempts: {error}") from error
    if len(data) != len(Columns._fields) * 8 * count or not unpack.eof:
        raise AttemptsError(f"expected {count} attempts, got {len(data)} bytes of columns")
    offsets, times_ms, users, scores = (
        np.frombuffer(data, _COLUMN).astype(np.int64).reshape(len(Columns._fields), count)
    )
    return Columns(offsets.cumsum(), times_ms.cumsum(), users, scores)
