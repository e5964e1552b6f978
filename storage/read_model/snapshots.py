"""The embedded read model: the newest snapshot, loaded into the same ranking class, in a bounded cache.

A read is at most `refresh_ms` behind the store, which is at most one checkpoint
interval behind the owner.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from actors.domain import shown, views
from actors.domain.boards import views as boards
from actors.domain.codec import decode_snapshot
from actors.domain.errors import SnapshotError
from actors.domain.life.freeze import is_frozen
from actors.domain.life.freeze import shown as public_state
from actors.domain.tournament import Tournament
from storage.ports import (
    Access,
    AccessQuery,
    GroupRankingsQuery,
    GroupsQuery,
    ParticipantQuery,
    Query,
    RankingsQuery,
    Records,
    RecordsUnavailableError,
    Reply,
    ResultsQuery,
    SearchQuery,
    TeamsQuery,
    ViewQuery,
)

logger = logging.getLogger(__name__)

A = TypeVar("A")
NOT_FOUND = Reply(found=False)


@dataclass(slots=True)
class _Loaded:
    state: Tournament
    epoch: int
    loaded_ms: int


class SnapshotReadModel:
    """Implements ReadModel over `records`; keeps at most `entries` tournaments, the least recently read goes first."""

    def __init__(
        self, records: Records, clock_ms: Callable[[], int], entries: int = 16, refresh_ms: int = 1000
    ) -> None:
        self._records = records
        self._clock_ms = clock_ms
        self._entries = entries
        self._refresh_ms = refresh_ms
        self._loaded: OrderedDict[int, _Loaded] = OrderedDict()
        self._loading: dict[int, asyncio.Lock] = {}

    async def read(self, tournament_id: int, query: Query[A]) -> A | None:
        """As of the newest snapshot. Names are looked for by owners alone: to fold those of a large table would hold up all readers."""
        if isinstance(query, SearchQuery):
            return None
        loaded = await self._load(tournament_id)
        answer: A | None = None if loaded is None else _answer(loaded, query)
        return answer

    async def close(self) -> None:
        """Forget what is loaded."""
        self._loaded.clear()

    async def _load(self, tournament_id: int) -> _Loaded | None:
        """The cached state if it is fresh enough, else loaded once for all who wait. Raises RecordsUnavailableError."""
        lock = self._loading.setdefault(tournament_id, asyncio.Lock())
        try:
            async with lock:
                loaded = self._loaded.get(tournament_id)
                if loaded is not None:
                    self._loaded.move_to_end(tournament_id)
                    age_ms = self._clock_ms() - loaded.loaded_ms
                    if 0 <= age_ms < self._refresh_ms:
                        return loaded
                try:
                    return await self._fetch(tournament_id, loaded)
                except RecordsUnavailableError:
                    if loaded is None or not loaded.state.over:
                        raise
                    return loaded  # as it was at its end at least
        finally:
            if not lock.locked():
                self._loading.pop(tournament_id, None)

    async def _fetch(self, tournament_id: int, old: _Loaded | None) -> _Loaded | None:
        row = await self._records.tournament(tournament_id)
        if row is None:
            return None
        if old is not None and old.state.offset >= row.offset:
            old.loaded_ms = self._clock_ms()
            return old
        for stored in await self._records.shown_snapshots(tournament_id):
            try:
                state = decode_snapshot(stored.data, stored.deltas)
            except SnapshotError as error:
                logger.warning("snapshot of %d at offset %d passed over: %s", tournament_id, stored.offset, error)
                continue
            loaded = _Loaded(state, row.epoch, self._clock_ms())
            self._loaded[tournament_id] = loaded
            self._loaded.move_to_end(tournament_id)
            while len(self._loaded) > self._entries:
                self._loaded.popitem(last=False)
            return loaded
        return old


def _answer(loaded: _Loaded, query: Query[Any]) -> Any:
    state = loaded.state
    at = loaded.epoch, views.UNPUBLISHED, state.status
    frozen = is_frozen(state, state.status)
    real = frozen and isinstance(query, GroupRankingsQuery | GroupsQuery | TeamsQuery) and query.full
    table = state if real else public_state(state, state.status)
    match query:
        case AccessQuery():
            member = query.user_id is not None and state.members.slot(query.user_id) >= 0
            return Access(True, state.spec.visibility == "public", member)
        case ViewQuery():
            return _reply(loaded, shown.view(state, *at, full=query.full), full=query.full and frozen)
        case RankingsQuery():
            asked = query.start, query.limit, query.around, query.users
            return _reply(loaded, shown.rankings(state, *asked, *at, full=query.full), full=query.full and frozen)
        case GroupRankingsQuery():
            page = query.board, query.group, query.start, query.limit, query.around
            return _reply(loaded, boards.group_rankings(table, *page, *at), full=real)
        case GroupsQuery():
            groups = boards.groups_of(table, query.board)
            told = None if groups is None else boards.groups_page(table, groups, query.start, query.limit, *at)
            return _reply(loaded, told, full=real)
        case TeamsQuery():
            teams = boards.teams_of(table)
            told = None if teams is None else boards.teams_page(table, teams, query.start, query.limit, *at)
            return _reply(loaded, told, full=real)
        case ParticipantQuery():
            who = {"own": query.own, "full": query.full}
            personal = any(who.values()) and shown.is_personal(state, query.user_id, state.status)
            return _reply(loaded, shown.participant(state, query.user_id, None, state.status, **who), full=personal)
        case ResultsQuery():
            return _encoded(loaded, shown.results(state, state.status, full=query.full), full=query.full and frozen)
    raise TypeError(f"expected what a read model holds, got {query!r}")


def _reply(loaded: _Loaded, told: dict[str, Any] | None, *, full: bool) -> Reply:
    """`full`: it is not for everybody."""
    if told is None:
        return NOT_FOUND._replace(frozen=is_frozen(loaded.state, loaded.state.status) and not full)
    return _encoded(loaded, views.encode(told), full=full)


def _encoded(loaded: _Loaded, body: bytes, *, full: bool) -> Reply:
    state = loaded.state
    return Reply(
        found=True,
        public=state.spec.visibility == "public" and not full,
        body=body,
        etag=f'"{loaded.epoch:x}-{state.offset:x}-s"',
        status=state.status,
        epoch=loaded.epoch,
        seq=views.UNPUBLISHED,
        offset=state.offset,
        frozen=is_frozen(state, state.status) and not full,
    )
