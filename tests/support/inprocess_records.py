"""The `Records` port of the in-process Palio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from actors.domain.codec import encode_snapshot
from actors.domain.texts import folded
from actors.owner.checkpoint.rows import outbox_rows, tournament_row
from actors.owner.entity import Entity, Scope
from storage.ports import (
    UNLISTED_TYPES,
    Checkpoint,
    ListQuery,
    OutboxRow,
    Page,
    ParticipantRow,
    RecordsUnavailableError,
    StoredSnapshot,
    TournamentRow,
)

if TYPE_CHECKING:
    from tests.support.inprocess import InProcessPalio

EPOCH = 1


class InProcessRecords:
    """`Records` over the states: lists as if everything were durable at once. Cursors are positions."""

    def __init__(self, palio: InProcessPalio) -> None:
        self._palio = palio
        self.down = False
        self._released: set[tuple[int, int, int]] = set()

    async def save(self, checkpoint: Checkpoint) -> None:
        raise NotImplementedError("nothing is checkpointed in here")

    async def save_each(self, checkpoints: Sequence[Checkpoint]) -> list[RecordsUnavailableError | None]:
        raise NotImplementedError("nothing is checkpointed in here")

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        state = self._palio.states.get(tournament_id)
        if state is None:
            return []
        return [StoredSnapshot(tournament_id, state.partition, state.offset, encode_snapshot(state))]

    async def snapshots_of(self, partition: int, tournament_ids: Sequence[int]) -> dict[int, list[StoredSnapshot]]:
        return {}

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        return []

    async def shown_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        if self.down:
            raise RecordsUnavailableError("the records are down")
        return await self.snapshots(tournament_id)

    async def active(self, partition: int, *, dedicated: bool) -> list[int]:
        return [t for t, s in self._palio.states.items() if s.partition == partition and s.dedicated == dedicated]

    async def projected(self, partition: int, scopes: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(scopes, -1)

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]:
        return [effect for effect in self._effects() if tournament_id in (None, effect.tournament_id)][:limit]

    def _effects(self) -> list[OutboxRow]:
        return [
            effect
            for state in self._palio.states.values()
            for effect in outbox_rows(Entity(state, Scope(state.partition, 0, 0, 0, 0)))
            if effect[:3] not in self._released
        ]

    def release(self, which: Callable[[OutboxRow], bool], tournament_id: int, upto: int) -> None:
        """Take effects of a tournament out of the outbox, up to an offset."""
        for effect in self._effects():
            if effect.tournament_id == tournament_id and effect.offset <= upto and which(effect):
                self._released.add(effect[:3])

    def leave(self, tournament_id: int, *, wholly: bool = False) -> None:
        raise NotImplementedError("nothing leaves here")

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        if self.down:
            raise RecordsUnavailableError("the records are down")
        state = self._palio.states.get(tournament_id)
        return None if state is None else tournament_row(state, EPOCH)

    async def list_tournaments(self, query: ListQuery) -> Page:
        if self.down:
            raise RecordsUnavailableError("the records are down")
        rows = [
            tournament_row(state, EPOCH)
            for state in reversed(self._palio.states.values())
            if query.see_all
            or state.spec.visibility == "public"
            or (query.viewer is not None and state.members.slot(query.viewer) >= 0)
        ]
        wanted = [
            row
            for row in rows
            if query.status in (None, row.status)
            and (row.type not in UNLISTED_TYPES if query.type is None else row.type == query.type)
            and (query.q is None or ("\0" not in query.q and folded(query.q) in folded(row.name)))
        ]
        return Page(*_page(wanted, query.cursor, query.limit))

    async def user_tournaments(
        self, user_id: int, cursor: str | None, limit: int
    ) -> tuple[list[tuple[TournamentRow, ParticipantRow]], str | None]:
        rows = []
        for state in reversed(self._palio.states.values()):
            slot = state.members.slot(user_id)
            if slot < 0:
                continue
            members, score = state.members, state.ranking.score(slot)
            part = ParticipantRow(
                state.tournament_id, user_id, members.names[slot], True, score, members.attempts[slot],
                None if score is None else members.scored_ms[slot], members.joined_ms[slot], None,
            )  # fmt: skip
            rows.append((tournament_row(state, EPOCH), part))
        return _page(rows, cursor, limit)

    async def took_part(self, user_id: int, after: int, limit: int) -> list[int]:
        if self.down:
            raise RecordsUnavailableError("the records are down")
        states = self._palio.states.items()
        return sorted(t for t, s in states if t > after and s.members.users.slot(user_id) >= 0)[:limit]

    async def close(self) -> None:
        return None


def _page(rows: list[Any], cursor: str | None, limit: int) -> tuple[list[Any], str | None]:
    start = int(cursor) if cursor is not None else 0  # ValueError for what is no cursor of ours
    end = start + limit
    return rows[start:end], str(end) if end < len(rows) else None
