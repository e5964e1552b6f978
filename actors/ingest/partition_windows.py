"""The windows: the newest decoded records of each partition, from which feeds take their ranges."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter

from actors.ingest.parse import Parsed

_offset = attrgetter("item.offset")


class Window:
    """Records with `after < offset <= upto`, in order."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.after = -1
        self.upto = -1
        self._records: list[Parsed] = []

    def __len__(self) -> int:
        return len(self._records)

    def start(self, offset: int) -> None:
        """Empty, after this offset."""
        self.after = self.upto = offset
        self._records = []

    def extend(self, upto: int, records: Sequence[Parsed]) -> None:
        """Append the records of the range that follows."""
        self._records.extend(records)
        self.upto = upto

    def trim(self, after: int) -> None:
        """Drop records up to an offset."""
        if after > self.after:
            del self._records[: bisect_right(self._records, after, key=_offset)]
            self.after = min(after, self.upto)

    def slice(self, after: int, limit: int) -> tuple[int, list[Parsed]]:
        """At most `limit` records after an offset, which is at least `self.after`; with the offset they reach to."""
        begin = bisect_right(self._records, after, key=_offset)
        records = self._records[begin : begin + limit]
        whole = begin + limit >= len(self._records)
        return (self.upto if whole else records[-1].item.offset), records

    def tail(self, after: int) -> list[Parsed]:
        """All records after an offset, which is at least `self.after`."""
        return self._records[bisect_right(self._records, after, key=_offset) :]

    def next_time_ms(self, after: int) -> int | None:
        """The append time of the first record after an offset, None when there is none."""
        at = bisect_right(self._records, after, key=_offset)
        return self._records[at].item.time_ms if at < len(self._records) else None


class PartitionWindows(dict[int, Window]):
    """One window a partition, empty at first."""

    def __init__(self, partitions: Iterable[int]) -> None:
        super().__init__((partition, Window(partition)) for partition in partitions)

    def buffered(self) -> int:
        """Decoded records in all of them."""
        return sum(len(window) for window in self.values())
