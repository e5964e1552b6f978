"""`Records` in memory, for the seeded simulator: rows as given, nothing encoded, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actors.domain.analytics.attempts import KINDS
from actors.domain.texts import folded
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
from storage.records.sql.checkpoint_writer import partition_of_checkpoint


def with_snapshot(there: list[StoredSnapshot], new: StoredSnapshot) -> list[StoredSnapshot]:
    """The snapshots kept of a tournament, newest first, once one more, whole or a delta, was saved."""
    newest = there[0].offset if there else -1
    if new.after is not None:
        if new.after != newest:
            return there
        return [there[0]._replace(offset=new.offset, deltas=(*there[0].deltas, new.data)), *there]
    if new.offset < newest:
        return there
    others = [] if new.alone else [old for old in there if old.offset != new.offset]
    before = next((n for n, old in enumerate(others) if not old.deltas), -1)
    return [new._replace(alone=False), *others[: before + 1]]


class MemoryRecords:
    """See `storage.ports.records.Records`."""

    def __init__(self) -> None:
        self._tournaments: dict[int, TournamentRow] = {}
        self._participants: dict[tuple[int, int], ParticipantRow] = {}
        self._snapshots: dict[int, list[StoredSnapshot]] = {}
        self._outbox: dict[tuple[int, int, int], OutboxRow] = {}
        self._projected: dict[str, int] = {}
        self._closed = False
        self._gone: dict[
            tuple[int, int], ParticipantRow
        ] = {}  # of tournaments that left for the archive, without names

    async def save(self, checkpoint: Checkpoint) -> None:
        self._open()
        partition_of_checkpoint(checkpoint)
        offsets = {row.tournament_id: row.offset for row in checkpoint.tournaments}
        for snapshot in checkpoint.snapshots:
            newest = next((old.offset for old in self._snapshots.get(snapshot.tournament_id, [])), None)
            if snapshot.after not in (None, newest) and (newest is None or snapshot.offset > newest):
                raise RecordsUnavailableError(f"expected no delta that follows {snapshot.after}, not {newest}")
        named = {row.tournament_id for row in checkpoint.participants} | {
            row.tournament_id for row in checkpoint.outbox
        }
        if strangers := named - offsets.keys():
            raise ValueError(f"participants or outbox rows of tournaments that are not in the checkpoint: {strangers}")
        stored = {number: self._tournaments[number].offset for number in offsets if number in self._tournaments}
        fresh = {number for number, offset in offsets.items() if offset >= stored.get(number, offset)}
        for row in checkpoint.tournaments:
            if row.tournament_id in fresh:
                before = self._tournaments.get(row.tournament_id, row)
                self._tournaments[row.tournament_id] = row._replace(epoch=max(row.epoch, before.epoch))
        for participant in checkpoint.participants:
            if participant.tournament_id in fresh:
                self._participants[participant.tournament_id, participant.user_id] = participant
        for effect in checkpoint.outbox:
            if effect.offset > stored.get(effect.tournament_id, -1):
                self._outbox.setdefault((effect.tournament_id, effect.offset, effect.n), effect)
        for snapshot in checkpoint.snapshots:
            there = self._snapshots.get(snapshot.tournament_id, [])
            self._snapshots[snapshot.tournament_id] = with_snapshot(there, snapshot)
        for scope, _, offset in checkpoint.projected:
            self._projected[scope] = max(offset, self._projected.get(scope, -1))

    async def save_each(self, checkpoints: Sequence[Checkpoint]) -> list[RecordsUnavailableError | None]:
        errors: list[RecordsUnavailableError | None] = []
        for checkpoint in checkpoints:
            try:
                await self.save(checkpoint)
            except RecordsUnavailableError as error:
                errors.append(error)
            else:
                errors.append(None)
        return errors

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        self._open()
        return list(self._snapshots.get(tournament_id, []))

    async def snapshots_of(self, partition: int, tournament_ids: Sequence[int]) -> dict[int, list[StoredSnapshot]]:
        return {number: found for number in tournament_ids if (found := await self.snapshots(number))}

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        return await self.snapshots(tournament_id)

    async def shown_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        return await self.snapshots(tournament_id)

    async def active(self, partition: int, *, dedicated: bool) -> list[int]:
        self._open()
        return sorted(
            row.tournament_id
            for row in self._tournaments.values()
            if (row.partition, row.dedicated) == (partition, dedicated) and row.status not in {"finished", "cancelled"}
        )

    async def projected(self, partition: int, scopes: Sequence[str]) -> dict[str, int]:
        self._open()
        return {scope: self._projected.get(scope, -1) for scope in scopes}

    def release(self, which: Callable[[OutboxRow], bool], tournament_id: int, upto: int) -> None:
        """Take effects of a tournament out of the outbox, up to an offset."""
        self._outbox = {
            key: row
            for key, row in self._outbox.items()
            if not (row.tournament_id == tournament_id and row.offset <= upto and which(row))
        }

    def leave(self, tournament_id: int, *, wholly: bool = False) -> None:
        """Its snapshots and participants are gone; `wholly`: everything of it."""
        self._snapshots.pop(tournament_id, None)
        theirs = {key for key in self._participants if key[0] == tournament_id}
        for key in theirs:
            self._gone[key] = self._participants.pop(key)._replace(name=None)
        if wholly:
            self._tournaments.pop(tournament_id, None)
            self._gone = {key: row for key, row in self._gone.items() if key[0] != tournament_id}

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]:
        self._open()
        mine = (row for _, row in sorted(self._outbox.items()) if tournament_id in (None, row.tournament_id))
        return [row for row in mine if row.kind not in KINDS][:limit]

    def snapshots_at_hand(self, tournament_id: int) -> list[StoredSnapshot]:
        """As `snapshots`, without waiting."""
        return list(self._snapshots.get(tournament_id, []))

    def attempts(self) -> dict[tuple[int, int, int], OutboxRow]:
        """The effects that tell of attempts, by key; to be changed by `MemoryAttempts` alone."""
        self._open()
        return self._outbox

    def all_tournaments(self) -> list[TournamentRow]:
        self._open()
        return list(self._tournaments.values())

    def participants_of(self, tournament_id: int) -> list[ParticipantRow]:
        self._open()
        return [row for row in self._participants.values() if row.tournament_id == tournament_id]

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        self._open()
        return self._tournaments.get(tournament_id)

    async def list_tournaments(self, query: ListQuery) -> Page:
        self._open()
        beyond = None if query.cursor is None else _position(query.cursor)
        rows = sorted(self._tournaments.values(), key=_listed, reverse=True)
        found = [row for row in rows if self._matches(row, query) and (beyond is None or _listed(row) < beyond)]
        page = found[: query.limit]
        return Page(page, _cursor(_listed(page[-1])) if len(found) > query.limit else None)

    def _matches(self, row: TournamentRow, query: ListQuery) -> bool:
        own = self._all_participants().get((row.tournament_id, query.viewer or 0))
        return (
            query.status in {None, row.status}
            and (row.type not in UNLISTED_TYPES if query.type is None else row.type == query.type)
            and "\0" not in (query.q or "")
            and folded(query.q or "") in folded(row.name)
            and (query.see_all or row.visibility == "public" or (own is not None and own.active))
        )

    async def user_tournaments(
        self, user_id: int, cursor: str | None, limit: int
    ) -> tuple[list[tuple[TournamentRow, ParticipantRow]], str | None]:
        self._open()
        beyond = None if cursor is None else _position(cursor)
        own = [p for p in self._all_participants().values() if p.user_id == user_id and p.active]
        own = sorted((p for p in own if beyond is None or _joined(p) < beyond), key=_joined, reverse=True)
        page = [(self._tournaments[p.tournament_id], p) for p in own[:limit]]
        return page, _cursor(_joined(page[-1][1])) if len(own) > limit else None

    async def took_part(self, user_id: int, after: int, limit: int) -> list[int]:
        self._open()
        known = self._all_participants().keys()
        return sorted(number for number, user in known if user == user_id and number > after)[:limit]

    async def close(self) -> None:
        self._closed = True

    def _all_participants(self) -> dict[tuple[int, int], ParticipantRow]:
        """Also of what has left; of what came back as it is now."""
        return self._gone | self._participants

    def _open(self) -> None:
        if self._closed:
            raise RecordsUnavailableError("the records are closed")


def _listed(row: TournamentRow) -> tuple[int, int]:
    return row.created_ms, row.tournament_id


def _joined(row: ParticipantRow) -> tuple[int, int]:
    return row.joined_ms, row.tournament_id


def _cursor(position: tuple[int, int]) -> str:
    return f"{position[0]}.{position[1]}"


def _position(cursor: str) -> tuple[int, int]:
    try:
        time_ms, number = map(int, cursor.split("."))
    except ValueError as error:
        raise ValueError(f"not a cursor: {cursor[:64]!r}") from error
    return time_ms, number
