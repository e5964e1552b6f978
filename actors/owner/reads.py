"""What an owner answers: one query at a time, pure reads; nothing here changes a tournament."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from actors.domain import shown, views
from actors.domain.boards import views as boards
from actors.domain.life.invitations import admits
from actors.domain.prizes.standings import PrizeStandings, prize_standings
from actors.domain.series import views as family_views
from actors.domain.series.children import commanded
from actors.owner.board_tables import BoardTables
from actors.owner.entity import Entity
from actors.owner.owner import Owner
from actors.owner.publisher import Publisher
from storage.ports import (
    Access,
    AccessQuery,
    ChildrenQuery,
    CohortsQuery,
    GroupRankingsQuery,
    GroupsQuery,
    HistoryQuery,
    InvitationsQuery,
    LiveQuery,
    LiveSnapshot,
    OwnerMovedError,
    OwnerUnavailableError,
    ParticipantQuery,
    PrizesQuery,
    Query,
    RankingsQuery,
    Reply,
    ResultsQuery,
    SearchQuery,
    SeriesQuery,
    Standing,
    StandingsQuery,
    TeamsQuery,
    ViewQuery,
)

A = TypeVar("A")
NOT_FOUND: Final = Reply(found=False)
SETTLED: Final = (
    ViewQuery,
    RankingsQuery,
    GroupRankingsQuery,
    GroupsQuery,
    TeamsQuery,
)  # their position is one of updates


class OwnerReads:
    """Reads over an owner."""

    def __init__(self, owner: Owner, publisher: Publisher) -> None:
        self._owner = owner
        self._publisher = publisher
        self._tables = BoardTables()

    async def read(self, partition: int, tournament_id: int, query: Query[A]) -> A:
        """As `Owners.read`.

        Raises OwnerMovedError (not held here), OwnerUnavailableError (not caught up yet) and RecordsUnavailableError.
        """
        scope = self._owner.tournaments.scope_of(partition, tournament_id)
        if scope is None:
            raise OwnerMovedError(f"partition {partition} is not held by {self._owner.name}")
        if not scope.ready:
            raise OwnerUnavailableError(f"{self._owner.name} is catching up with partition {partition}")
        entity = await self._owner.tournaments.find(tournament_id, scope)
        answer: A = await self.answer(entity, query)
        return answer

    def read_many(self, wanted: Sequence[tuple[int, int, Query[Any]]]) -> list[Any]:
        """For each (partition, tournament, query) what `read` gives, or raises for it, without any wait; None where it would have to wait."""
        return [self._read_now(*each) for each in wanted]

    def _read_now(self, partition: int, tournament_id: int, query: Query[Any]) -> Any:
        tournaments = self._owner.tournaments
        scope = tournaments.scope_of(partition, tournament_id)
        if scope is None or not scope.ready:
            return None
        entity = tournaments.at_hand(tournament_id)
        if isinstance(query, SearchQuery):
            return None
        if entity is None or (isinstance(query, SETTLED) and not self._publisher.settle(entity)):
            return None
        if isinstance(query, AccessQuery):
            access = _access(entity, query)
            # what is hidden takes as long as what is unknown
            return access if access.allowed or access.invited else None
        return self._answer(entity, query)

    async def answer(self, entity: Entity | None, query: Query[Any]) -> Any:
        """What a tournament that is held, None for an unknown one, answers to a query."""
        if isinstance(query, AccessQuery):
            access = _access(entity, query)
            if entity is not None and not (access.allowed or access.invited):
                # What is unknown was looked for in the records. So is what is hidden, or the time would tell one from the other.
                await self._owner.tournaments.look_up(entity.state.tournament_id)
            return access
        if isinstance(query, SearchQuery):
            return NOT_FOUND if entity is None else await self._search(entity, query)
        if entity is not None and isinstance(query, SETTLED):
            return await self._publisher.settled(entity, lambda: self._answer(entity, query))
        return self._answer(entity, query)

    def _answer(self, entity: Entity | None, query: Query[Any]) -> Any:
        match query:
            case LiveQuery():
                return LiveSnapshot(found=False) if entity is None else self._live(entity)
            case ChildrenQuery():
                return [] if entity is None else commanded(entity.state, query.command)
            case StandingsQuery():
                return [] if entity is None else _standings(entity, query)
            case PrizesQuery():
                return PrizeStandings(found=False) if entity is None else _prizes(entity, query)
        if entity is None:
            return NOT_FOUND
        match query:
            case ViewQuery():
                return _view(entity, query)
            case RankingsQuery():
                return _rankings(entity, query)
            case GroupRankingsQuery() | GroupsQuery() | TeamsQuery():
                return self._board(entity, query)
            case ParticipantQuery():
                return _participant(entity, query)
            case ResultsQuery():
                return _results(entity, query)
            case InvitationsQuery():
                return _reply(entity, views.encode(views.invitations(entity.state)))
            case CohortsQuery():
                return _reply(entity, views.encode(family_views.cohorts(entity.state, query.start, query.limit)))
            case SeriesQuery():
                told = family_views.series(entity.state, entity.status)
                return NOT_FOUND if told is None else _reply(entity, views.encode(told))
            case HistoryQuery():
                return _reply(entity, views.encode(views.history(entity.state)))
        raise TypeError(f"expected a query, got {query!r}")

    async def positions(self, wanted: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """(epoch, seq) of each (partition, tournament) that is at hand here and caught up."""
        found: dict[int, tuple[int, int]] = {}
        for partition, tournament_id in wanted:
            scope = self._owner.tournaments.scope_of(partition, tournament_id)
            entity = self._owner.tournaments.at_hand(tournament_id)
            if scope is not None and scope.ready and entity is not None:
                found[tournament_id] = entity.position()
        return found

    def _board(self, entity: Entity, query: GroupRankingsQuery | GroupsQuery | TeamsQuery) -> Reply:
        real = query.full and entity.frozen
        state, seq = (entity.state, views.UNPUBLISHED) if real else (entity.shown, entity.shown_seq)
        page, at = None, (entity.epoch, seq, entity.status)
        match query:
            case GroupRankingsQuery():
                page = boards.group_rankings(
                    state, query.board, query.group, query.start, query.limit, query.around, *at
                )
            case GroupsQuery():
                groups = self._tables.get(
                    entity, f"groups {query.board} {entity.frozen} {real}", lambda: boards.groups_of(state, query.board)
                )
                if groups is not None:
                    page = boards.groups_page(state, groups, query.start, query.limit, *at)
            case TeamsQuery():
                teams = self._tables.get(entity, f"teams {entity.frozen} {real}", lambda: boards.teams_of(state))
                if teams is not None:
                    page = boards.teams_page(state, teams, query.start, query.limit, *at)
        if page is None:
            return NOT_FOUND
        reply = _reply(entity, views.encode(page))
        return _full(reply) if real else reply

    async def _search(self, entity: Entity, query: SearchQuery) -> Reply:
        members = entity.state.members
        slots = await self._owner.names.slots(entity.state.tournament_id, members.names, query.text)
        named = -1 if query.user_id is None else members.slot(query.user_id)
        if named >= 0 and named not in slots:
            slots.append(named)
        return await self._publisher.settled(entity, lambda: _found(entity, slots, query))

    def _live(self, entity: Entity) -> LiveSnapshot:
        """The data as last published, so that the next update's patch fits it."""
        self._publisher.watch(entity)
        return LiveSnapshot(
            found=True,
            public=entity.state.spec.visibility == "public",
            epoch=entity.epoch,
            seq=entity.live.seq,
            data=views.encode(entity.live.data),
            recent=tuple(entity.live.recent),
        )


def _access(entity: Entity | None, query: AccessQuery) -> Access:
    if entity is None:
        return Access(found=False)
    user, members = query.user_id, entity.state.members
    member = user is not None and members.slot(user) >= 0
    invited = (
        user is not None
        and query.invitation is not None
        and admits(entity.state, query.invitation, user, members.users.slot(user))
    )
    return Access(True, entity.state.spec.visibility == "public", member, invited)


def _view(entity: Entity, query: ViewQuery) -> Reply:
    if not (query.full and entity.frozen):
        return _reply(entity, entity.view())
    view = shown.view(entity.state, entity.epoch, entity.shown_seq, entity.status, full=True)
    return _full(_reply(entity, views.encode(view)))


def _rankings(entity: Entity, query: RankingsQuery) -> Reply:
    at = entity.epoch, entity.shown_seq, entity.status
    page = shown.rankings(entity.state, query.start, query.limit, query.around, query.users, *at, full=query.full)
    if page is None:
        return NOT_FOUND._replace(frozen=entity.frozen and not query.full)
    reply = _reply(entity, views.encode(page))
    return _full(reply) if query.full and entity.frozen else reply


def _found(entity: Entity, slots: list[int], query: SearchQuery) -> Reply:
    at = entity.epoch, entity.shown_seq, entity.status
    page = shown.found(entity.state, slots, query.start, query.limit, *at, full=query.full)
    reply = _reply(entity, views.encode(page))
    return _full(reply) if query.full and entity.frozen else reply


def _results(entity: Entity, query: ResultsQuery) -> Reply:
    reply = _reply(entity, shown.results(entity.state, entity.status, full=query.full))
    return _full(reply) if query.full and entity.frozen else reply


def _full(reply: Reply) -> Reply:
    """A reply that is not for everybody: nobody keeps it."""
    return reply._replace(public=False, etag="", frozen=False)


def _participant(entity: Entity, query: ParticipantQuery) -> Reply:
    slot = entity.state.members.slot(query.user_id)
    previous = entity.previous_ranks.get(slot)
    told = shown.participant(entity.state, query.user_id, previous, entity.status, own=query.own, full=query.full)
    if told is None:
        return NOT_FOUND
    reply = _reply(entity, views.encode(told))
    personal = (query.own or query.full) and shown.is_personal(entity.state, query.user_id, entity.status)
    return _full(reply) if personal else reply


def _prizes(entity: Entity, query: PrizesQuery) -> PrizeStandings:
    return prize_standings(entity.state, entity.status, query.rules, table=query.table)


def _standings(entity: Entity, query: StandingsQuery) -> list[Standing]:
    ranking, slot_of = entity.state.ranking, entity.state.members.slot
    slots = [(user, slot) for user in query.users if (slot := slot_of(user)) >= 0]
    if entity.frozen:
        return [Standing(u, None, ranking.score(s), None) for u, s in slots]
    return [Standing(u, ranking.rank(s), ranking.score(s), ranking.percentile(s)) for u, s in slots]


def _reply(entity: Entity, body: bytes) -> Reply:
    return Reply(
        found=True,
        public=entity.state.spec.visibility == "public",
        body=body,
        etag=entity.etag(),
        status=entity.status,
        epoch=entity.epoch,
        seq=entity.shown_seq,
        offset=entity.state.offset,
        frozen=entity.frozen,
    )
