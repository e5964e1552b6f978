"""An owner over memory that holds one tournament, to compare its replies with a read model's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.domain.delivery import Item
from actors.domain.events import APPLIED, Outcome
from actors.domain.fold import apply
from actors.domain.signing import Signer
from actors.domain.tournament import Tournament
from actors.owner.entity import Entity, Scope
from actors.owner.owner import Owner, OwnerConfig
from actors.owner.reads import OwnerReads
from storage.ports import AccessQuery, ParticipantQuery, Query, RankingsQuery, ReadModel, Reply, ViewQuery
from storage.read_model.redis import RedisReadModel
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT, Step, fold, items_of
from tests.support.memory_ports import MemoryRecords, MemoryScoreLog

EPOCH = 5


class Silent:
    """An Updates port that nobody listens to."""

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """As `Updates.publish`."""


class Held:
    """An owner that holds the tournament of a history."""

    def __init__(self, state: Tournament, epoch: int = EPOCH) -> None:
        self.owner = Owner(
            name="shard-0",
            instance="shard-0#1",
            log=MemoryScoreLog(PARTITION + 1, clock_ms=lambda: BEGIN_MS),
            records=MemoryRecords(),
            updates=Silent(),  # type: ignore[arg-type]
            signer=Signer({"k": b"secret"}, "k"),
            clock_ms=lambda: BEGIN_MS,
            config=OwnerConfig(),
        )
        scope = Scope(PARTITION, 0, epoch, watermark=10**9, durable=-1)
        self.entity = Entity(state, scope, durable_offset=state.offset if state.over else -1)
        self.owner.tournaments.scopes[PARTITION, 0] = scope
        self.owner.tournaments.place(self.entity)
        self.reads = OwnerReads(self.owner, self.owner.publisher)

    @classmethod
    def of(cls, steps: Sequence[Step]) -> Held:
        return cls(fold(items_of(steps)))

    def apply(self, items: Sequence[Item]) -> list[int]:
        """Fold more records; returns the slots that changed."""
        state = self.entity.state
        users: set[int] = set()
        for item in items:
            _, events = apply(state, TOURNAMENT, PARTITION, item)
            users |= {event.user_id for event in events if isinstance(event, Outcome) and event.outcome == APPLIED}
        if state.over:
            self.entity.durable_offset = state.offset
        return sorted(slot for user in users if (slot := state.members.users.slot(user)) >= 0)

    async def compare(self, read_model: ReadModel, users: Sequence[int], tournament_id: int = TOURNAMENT) -> None:
        """Every kind of read says the same, to the byte."""
        queries: list[Query[Any]] = [
            ViewQuery(),
            RankingsQuery(),
            RankingsQuery(0, 2),
            RankingsQuery(1, 3),
            RankingsQuery(100, 10),
            RankingsQuery(users=tuple(users)),
            RankingsQuery(users=(*users[:2], 10**18, users[0])),
            *(RankingsQuery(limit=limit, around=user) for user in (*users, 10**18) for limit in (1, 3, 100)),
            *(ParticipantQuery(user) for user in (*users, 10**18)),
            *(AccessQuery(user) for user in (None, *users, 10**18)),
        ]
        for query in queries:
            expected = await self.reads.read(PARTITION, tournament_id, query)
            found = await read_model.read(tournament_id, query)
            if found is None and isinstance(query, ParticipantQuery) and self.entity.state.groups:
                continue  # ranks within groups are counted by a whole table: the next read model's to say
            if isinstance(read_model, RedisReadModel) and isinstance(expected, Reply):
                expected = expected._replace(frozen=False)  # it holds the public table alone
            _same(found, expected, query)


def _same(found: object, expected: object, what: object) -> None:
    assert found == expected, f"{what}:\n{found}\n{expected}"
