"""Two read models, one behind the other: the read model first, and the newest snapshots where it holds nothing or does not answer."""

from __future__ import annotations

import logging
from typing import TypeVar

from storage.ports import Query, ReadModel, ReadModelUnavailableError

A = TypeVar("A")
logger = logging.getLogger(__name__)


class FallbackReadModel:
    """Implements ReadModel over two, within the bounds of both. Closes both.

    What `second` shows may be older than what `first` showed a moment ago, by one checkpoint interval at most.
    """

    def __init__(self, first: ReadModel, second: ReadModel) -> None:
        self._first = first
        self._second = second

    async def read(self, tournament_id: int, query: Query[A]) -> A | None:
        """See `ReadModel.read`."""
        try:
            answer = await self._first.read(tournament_id, query)
        except ReadModelUnavailableError as error:
            logger.debug("read from the snapshots: %s", error)
            answer = None
        if answer is not None:
            return answer
        return await self._second.read(tournament_id, query)

    async def close(self) -> None:
        """See `ReadModel.close`."""
        await self._first.close()
        await self._second.close()
