"""Finds those who asked to be told that they were overtaken: compares their ranks with what they were, again and again.

That is no effect of one record: one score may pass thousands. So it is looked for where somebody asked for it, a page of them at a time.
What ranks were is kept in memory alone: after a restart the first look is the one to compare with.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from actors.domain.notices.events import Channel, NoticeEvent, encode_event
from storage.ports import (
    Notices,
    OwnerMovedError,
    OwnerRecordsError,
    Owners,
    OwnerUnavailableError,
    Records,
    RecordsUnavailableError,
    Standing,
    StandingsQuery,
    TournamentRow,
)

logger = logging.getLogger(__name__)

USERS_A_LOOK: Final = 100
TOURNAMENTS_OF_A_USER: Final = 20  # the newest that they joined
REMEMBERED: Final = 100_000


class _Seen(NamedTuple):
    rank: int
    score: int | None
    told_ms: int


class Overtaken:
    """See the module. `throttle_ms`: least time between two notices of a user in a tournament."""

    def __init__(
        self,
        notices: Notices,
        records: Records,
        owners: Owners,
        channels: Sequence[Channel],
        clock_ms: Callable[[], int],
        throttle_ms: int,
    ) -> None:
        self._notices = notices
        self._records = records
        self._owners = owners
        self._channels = channels
        self._clock_ms = clock_ms
        self._throttle_ms = throttle_ms
        self._cursor = 0
        self._seen: OrderedDict[tuple[int, int], _Seen] = OrderedDict()

    async def look(self) -> int:
        """Look at the next page of users; returns how many notices were made. Raises RecordsUnavailableError."""
        page = await self._notices.settings_after(self._cursor, USERS_A_LOOK, overtaken=True)
        self._cursor = page[-1].user_id if len(page) == USERS_A_LOOK else 0
        running: dict[int, tuple[TournamentRow, list[int]]] = {}
        for stored in page:
            rows, _ = await self._records.user_tournaments(stored.user_id, None, TOURNAMENTS_OF_A_USER)
            for row, _ in rows:
                if row.status == "running":
                    running.setdefault(row.tournament_id, (row, []))[1].append(stored.user_id)
        made = 0
        for row, users in running.values():
            for standing in await self._standings(row.tournament_id, users):
                made += await self._compare(row, standing)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return made

    async def _standings(self, tournament_id: int, users: list[int]) -> list[Standing]:
        try:
            return await self._owners.read(tournament_id, StandingsQuery(tuple(users)))
        except (OwnerUnavailableError, OwnerMovedError, OwnerRecordsError) as error:
            logger.info("tournament %d is looked at the next time: %s", tournament_id, error)
            return []

    async def _compare(self, row: TournamentRow, standing: Standing) -> bool:
        key, now_ms = (row.tournament_id, standing.user_id), self._clock_ms()
        if standing.rank is None:
            self._seen.pop(key, None)
            return False
        before = self._seen.pop(key, None)
        told_ms = 0 if before is None else before.told_ms
        passed = before is not None and standing.rank > before.rank and standing.score == before.score
        told = False
        if passed and now_ms - told_ms >= self._throttle_ms:
            told = await self._tell(row, standing, now_ms)
            told_ms = now_ms
        # ranks lost in between count when the next notice may go
        keep = passed and not told and before is not None
        self._seen[key] = _Seen(before.rank if keep and before is not None else standing.rank, standing.score, told_ms)
        return told

    async def _tell(self, row: TournamentRow, standing: Standing, now_ms: int) -> bool:
        event = NoticeEvent(
            event="overtaken",
            tournament_id=row.tournament_id,
            name=row.name,
            at_ms=now_ms,
            starts_ms=row.starts_ms,
            ends_ms=row.ends_ms,
            user_id=standing.user_id,
            rank=standing.rank,
        )
        key = f"overtaken-{now_ms // self._throttle_ms}-{standing.user_id}"
        try:
            await self._notices.begin(row.tournament_id, key, encode_event(event), self._channels, now_ms)
        except RecordsUnavailableError as error:
            logger.info("an overtaken user of tournament %d is not told: %s", row.tournament_id, error)
            return False
        return True
