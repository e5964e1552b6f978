"""Records with the archive behind them: a tournament that has left the records is loaded from its file there, and shown and changed as ever."""

from __future__ import annotations

from collections.abc import Sequence

from storage.ports import (
    ArchiveFiles,
    ArchiveIndex,
    ArchiveUnavailableError,
    Checkpoint,
    ListQuery,
    OutboxRow,
    Page,
    ParticipantRow,
    Records,
    RecordsUnavailableError,
    StoredSnapshot,
    TournamentRow,
    state_name,
)


class RecordsWithArchive:
    """Implements Records over others: where these have no snapshot of a tournament, and the index says that it has left, its file is read.

    Closes the files, not the records.
    """

    def __init__(self, records: Records, index: ArchiveIndex, files: ArchiveFiles) -> None:
        self._records = records
        self._index = index
        self._files = files

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.snapshots`. Raises RecordsUnavailableError also where the archive does not answer."""
        return await self._records.snapshots(tournament_id) or await self._left(tournament_id)

    async def shown_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.shown_snapshots`."""
        return await self._records.shown_snapshots(tournament_id) or await self._left(tournament_id)

    async def _left(self, tournament_id: int) -> list[StoredSnapshot]:
        entry = await self._index.archived(tournament_id)
        if entry is None or entry.place == "kept":
            return []
        row = await self._records.tournament(tournament_id)
        if row is None or row.offset != entry.offset:  # saved since: it has a snapshot by now
            return await self._records.snapshots(tournament_id)
        try:
            data = await self._files.get(state_name(tournament_id))
        except ArchiveUnavailableError as error:
            raise RecordsUnavailableError(f"tournament {tournament_id} is in the archive: {error}") from error
        if data is None:
            raise RecordsUnavailableError(f"tournament {tournament_id} has left for the archive, where it is missing")
        return [StoredSnapshot(tournament_id, row.partition, entry.offset, data)]

    async def save(self, checkpoint: Checkpoint) -> None:
        """See `Records.save`."""
        await self._records.save(checkpoint)

    async def save_each(self, checkpoints: Sequence[Checkpoint]) -> list[RecordsUnavailableError | None]:
        """See `Records.save_each`."""
        return await self._records.save_each(checkpoints)

    async def snapshots_of(self, partition: int, tournament_ids: Sequence[int]) -> dict[int, list[StoredSnapshot]]:
        """See `Records.snapshots_of`: asked for those that are not over, which never leave."""
        return await self._records.snapshots_of(partition, tournament_ids)

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.settled_snapshots`."""
        return await self._records.settled_snapshots(tournament_id)

    async def active(self, partition: int, *, dedicated: bool) -> list[int]:
        """See `Records.active`."""
        return await self._records.active(partition, dedicated=dedicated)

    async def projected(self, partition: int, scopes: Sequence[str]) -> dict[str, int]:
        """See `Records.projected`."""
        return await self._records.projected(partition, scopes)

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]:
        """See `Records.outbox`."""
        return await self._records.outbox(limit, tournament_id)

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        """See `Records.tournament`."""
        return await self._records.tournament(tournament_id)

    async def list_tournaments(self, query: ListQuery) -> Page:
        """See `Records.list_tournaments`."""
        return await self._records.list_tournaments(query)

    async def user_tournaments(
        self, user_id: int, cursor: str | None, limit: int
    ) -> tuple[list[tuple[TournamentRow, ParticipantRow]], str | None]:
        """See `Records.user_tournaments`."""
        return await self._records.user_tournaments(user_id, cursor, limit)

    async def took_part(self, user_id: int, after: int, limit: int) -> list[int]:
        """See `Records.took_part`."""
        return await self._records.took_part(user_id, after, limit)

    async def close(self) -> None:
        """Close the files."""
        await self._files.close()
