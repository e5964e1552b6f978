"""The block form of an order: a list of short sorted arrays, where one change costs about 2 us at any size."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.domain.ranking.flat import FlatOrder

LONGEST: Final = 1024  # a longer block is split: moving 8 KiB costs less than the calls around it
SHORTEST: Final = 256  # a shorter one is joined to a neighbour, or rising scores would leave a trail of near-empty ones
FILL: Final = 704  # of new blocks: room to grow, and far from being joined
_LOWEST: Final = -(2**63)


class BlockOrder:
    """Distinct int64 keys in ascending order with their slots, in blocks of at most LONGEST.

    Block b holds the keys from `bounds[b]` up to, not including, `bounds[b + 1]`; the first bound is below every key.
    There is always one block, maybe empty. NumPy looks at the arrays only for the length of a call: an array cannot be
    resized while NumPy holds its buffer.
    """

    def __init__(self, flat: FlatOrder) -> None:
        """Cut a flat order into blocks."""
        cuts = range(0, max(len(flat), 1), FILL)
        self._keys = [array("q", flat.keys[at : at + FILL].tobytes()) for at in cuts]
        self._slots = [array("i", flat.slots[at : at + FILL].tobytes()) for at in cuts]
        self._bounds = array("q", flat.keys[::FILL].tobytes() if len(flat) else [_LOWEST])
        self._bounds[0] = _LOWEST
        self._lengths = array("q", map(len, self._keys))
        self._starts: NDArray[np.int64] | None = None

    def flat(self) -> FlatOrder:
        """The same order in its flat form."""
        return FlatOrder(np.frombuffer(b"".join(self._keys), np.int64), np.frombuffer(b"".join(self._slots), np.int32))

    def add(self, key: int, slot: int) -> None:
        """Add a key that is absent."""
        block = bisect_right(self._bounds, key) - 1
        keys = self._keys[block]
        at = bisect_left(keys, key)
        keys.insert(at, key)
        self._slots[block].insert(at, slot)
        self._lengths[block] += 1
        self._starts = None
        if len(keys) > LONGEST:
            self._split(block)

    def remove(self, key: int) -> None:
        """Remove a key that is present."""
        block = bisect_right(self._bounds, key) - 1
        keys = self._keys[block]
        at = bisect_left(keys, key)
        del keys[at], self._slots[block][at]
        self._lengths[block] -= 1
        self._starts = None
        if len(keys) < SHORTEST and len(self._keys) > 1:
            self._join(block)

    def count_below(self, key: int) -> int:
        """How many keys are smaller than `key`."""
        block = bisect_right(self._bounds, key) - 1
        return int(self._block_starts()[block]) + bisect_left(self._keys[block], key)

    def counts_below(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many keys are smaller than each of `keys`."""
        blocks = np.frombuffer(self._bounds, np.int64).searchsorted(keys, "right") - 1
        arrays = self._keys
        inside = [bisect_left(arrays[block], key) for block, key in zip(blocks.tolist(), keys.tolist(), strict=True)]
        return self._block_starts()[blocks] + np.array(inside, np.int64)

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """The slots at positions start .. stop-1, which must exist."""
        found = array("i")
        block, at = self._find(start)
        while len(found) < stop - start:
            found += self._slots[block][at : at + stop - start - len(found)]
            block, at = block + 1, 0
        return np.frombuffer(found, np.int32)

    def _block_starts(self) -> NDArray[np.int64]:
        """The position of each block's first key: counted again only after a change."""
        if self._starts is None:
            lengths = np.frombuffer(self._lengths, np.int64)
            self._starts = lengths.cumsum() - lengths
        return self._starts

    def _find(self, position: int) -> tuple[int, int]:
        starts = self._block_starts()
        block = int(starts.searchsorted(position, "right")) - 1
        return block, position - int(starts[block])

    def _split(self, block: int) -> None:
        keys, slots = self._keys[block], self._slots[block]
        half = len(keys) // 2
        self._keys[block : block + 1] = keys[:half], keys[half:]  # slices, so that both give back their spare room
        self._slots[block : block + 1] = slots[:half], slots[half:]
        self._bounds.insert(block + 1, keys[half])
        self._lengths[block] = half
        self._lengths.insert(block + 1, len(keys) - half)

    def _join(self, block: int) -> None:
        """Join a short block to its shorter neighbour, unless the two would be near splitting again."""
        left = block - 1
        if block == 0 or (block + 1 < len(self._keys) and self._lengths[block + 1] < self._lengths[block - 1]):
            left = block
        together = self._lengths[left] + self._lengths[left + 1]
        if together > LONGEST * 3 // 4 and self._lengths[block]:
            return
        self._keys[left] = self._keys[left] + self._keys[left + 1]
        self._slots[left] = self._slots[left] + self._slots[left + 1]
        self._lengths[left] = together
        del self._keys[left + 1], self._slots[left + 1], self._bounds[left + 1], self._lengths[left + 1]
