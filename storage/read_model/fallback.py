"""Two read models, one behind the other: the readable copy first, and the newest snapshots where it holds nothing or does not answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from storage.ports import (
    CopyPosition,
    RankingsQuery,
    ReadModel,
    ReadModelDelta,
    ReadModelUnavailableError,
    Reply,
)

logger = logging.getLogger(__name__)


class FallbackReadModel:
    """Implements ReadModel: writes go to `first` alone; reads to `second`, too, within the bounds of both. Closes both.

    What `second` shows may be older than what `first` showed a moment ago, by one checkpoint interval at most.
    """

    def __init__(self, first: ReadModel, second: ReadModel) -> None:
        self._first = first
        self._second = second
        self.fallbacks = 0

    async def write(self, deltas: Sequence[ReadModelDelta]) -> list[int]:
        """See `ReadModel.write`."""
        return await self._first.write(deltas)

    async def positions(self, tended: Mapping[int, int]) -> dict[int, CopyPosition | None]:
        """See `ReadModel.positions`."""
        return await self._first.positions(tended)

    async def view(self, tournament_id: int, viewer: int | None) -> Reply | None:
        """See `ReadModel.view`."""
        return await self._read(lambda model: model.view(tournament_id, viewer))

    async def rankings(self, tournament_id: int, query: RankingsQuery, viewer: int | None) -> Reply | None:
        """See `ReadModel.rankings`."""
        return await self._read(lambda model: model.rankings(tournament_id, query, viewer))

    async def participant(self, tournament_id: int, user_id: int, viewer: int | None) -> Reply | None:
        """See `ReadModel.participant`."""
        return await self._read(lambda model: model.participant(tournament_id, user_id, viewer))

    async def close(self) -> None:
        """See `ReadModel.close`."""
        await self._first.close()
        await self._second.close()

    async def _read(self, ask: Callable[[ReadModel], Awaitable[Reply | None]]) -> Reply | None:
        try:
            reply = await ask(self._first)
        except ReadModelUnavailableError as error:
            logger.debug("read from the snapshots: %s", error)
            reply = None
        if reply is not None:
            return reply
        self.fallbacks += 1
        return await ask(self._second)
