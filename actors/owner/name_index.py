"""Looking for names: those of a tournament folded for searching, kept between searches, so that the next letter typed costs little.

Of 100,000 names one search takes some milliseconds, in steps between which the owner does other work.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from actors.domain.texts import folded

CHUNK: Final = 1024  # names: to fold so many takes some 0.3 ms, of other alphabets than Latin ten times that
STEP: Final = 16  # chunks that are looked through in one go
MAX_NAMES: Final = 1_000_000  # kept of all tournaments, some 25 bytes each; the least recently searched tournament goes


class NameIndex:
    """See the module; `kept` counts the names that are held."""

    def __init__(self) -> None:
        self._tournaments: OrderedDict[int, list[_Chunk]] = OrderedDict()

    @property
    def kept(self) -> int:
        """How many names are held folded."""
        return sum(map(_size, self._tournaments.values()))

    async def slots(self, tournament_id: int, names: Sequence[str | None], text: str) -> list[int]:
        """The slots whose names (`names`, by slot) have in them `text`, which is folded, ascending.

        Names may change meanwhile: each is looked at as it is at some moment of the search.
        """
        chunks = self._tournaments.setdefault(tournament_id, [])
        self._tournaments.move_to_end(tournament_id)
        found: list[int] = []
        start = 0
        while start < len(names):
            number, part = start // CHUNK, names[start : start + CHUNK]
            if number == len(chunks):
                chunks.append(_Chunk())
            fresh = chunks[number].update(part)
            found.extend(start + at for at in chunks[number].places(text))
            start += CHUNK
            if fresh or number % STEP == STEP - 1:
                await asyncio.sleep(0)
        self._trim()
        return found

    def forget(self, tournament_id: int) -> None:
        """Nothing is kept of a tournament any more: it is gone from here, or somebody's name is to be forgotten."""
        self._tournaments.pop(tournament_id, None)

    def _trim(self) -> None:
        kept = self.kept
        while kept > MAX_NAMES and len(self._tournaments) > 1:
            _, chunks = self._tournaments.popitem(last=False)
            kept -= _size(chunks)


class _Chunk:
    """Some names that stand beside each other."""

    __slots__ = ("names", "text")

    def __init__(self) -> None:
        self.names: Sequence[str | None] = ()
        self.text = ""  # the names folded, a line each: folding leaves no line breaks

    def update(self, names: Sequence[str | None]) -> bool:
        """Fold these names unless they are the same as before; whether it did."""
        if self.names == names:  # mostly the same objects: some microseconds
            return False
        self.names, self.text = names, "\n".join(folded(name) if name else "" for name in names)
        return True

    def places(self, text: str) -> list[int]:
        """Where in the chunk, from 0, the names are that have `text` in them."""
        if text not in self.text:
            return []
        return [at for at, name in enumerate(self.text.split("\n")) if text in name]


def _size(chunks: list[_Chunk]) -> int:
    return sum(len(chunk.names) for chunk in chunks)
