"""Who is in which group of one board: each member in one at most, by the attribute given at joining."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class Groups:
    """Groups by name, and the slots of those in each: 8 bytes a member, and some 250 a group.

    A group is listed as soon as somebody was in it. Nothing that is read here depends on the order in which groups came.
    """

    __slots__ = ("_ids", "_names", "_numbers", "_slots")

    def __init__(self) -> None:
        self._ids = array("i")  # by slot, -1 for none; as long as the last slot that has one
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}  # of the names
        self._slots: list[array[int]] = []  # of the members of each

    def __len__(self) -> int:
        return len(self._names)

    def put(self, slot: int, name: str) -> None:
        """Put a member into a group, out of another."""
        before = self._number(slot)
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
            self._slots.append(array("i"))
        if number == before:
            return
        if before >= 0:
            self._slots[before].remove(slot)
        if slot >= len(self._ids):
            self._ids.extend([-1] * (slot + 1 - len(self._ids)))
        self._ids[slot] = number
        self._slots[number].append(slot)

    def forget(self, slot: int) -> None:
        """Take a member out of their group."""
        number = self._number(slot)
        if number >= 0:
            self._slots[number].remove(slot)
            self._ids[slot] = -1

    def of(self, slot: int) -> str | None:
        """The group of a member, None for none."""
        number = self._number(slot)
        return None if number < 0 else self._names[number]

    def slots_of(self, name: str) -> NDArray[np.int32] | None:
        """The members of a group, in no order that means anything; None where there is no such group."""
        number = self._numbers.get(name)
        return None if number is None or not self._slots[number] else np.array(self._slots[number], np.int32)

    def names(self) -> list[str]:
        """The groups that have members, by their numbers; those without are left out as "" is no name."""
        return [name if slots else "" for name, slots in zip(self._names, self._slots, strict=True)]

    def numbers(self, slots: NDArray[np.int32]) -> NDArray[np.int32]:
        """The groups' numbers of many members, -1 for none: places in `names`."""
        ids = np.array(self._ids, np.int32)
        found = np.full(len(slots), -1, np.int32)
        known = slots < len(ids)
        found[known] = ids[slots[known]]
        return found

    def texts(self, slots: Iterable[int]) -> list[str | None]:
        """The groups of many members, in the order asked: a column of a snapshot."""
        return [self.of(slot) for slot in slots]

    def _number(self, slot: int) -> int:
        return self._ids[slot] if slot < len(self._ids) else -1
