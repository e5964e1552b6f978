"""Notices on the databases of the records: see `storage.ports.notices`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Row, Select, Update, and_, delete, exists, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.notices.events import NOTICE_KIND, Channel
from actors.domain.notices.settings import NotificationSettings, channel_bit, channel_bits
from storage.ports.notices import NoticeJob, NoticeRetry, StoredSettings
from storage.ports.records import OutboxRow, ParticipantRow, TournamentRow
from storage.records.seal import SettingsSeal
from storage.records.sql.checkpoint_writer import in_parts
from storage.records.sql.dialects import insert_new
from storage.records.sql.notices_schema import notice_jobs, notice_retries, notification_settings
from storage.records.sql.schema import (
    PARTICIPANT_COLUMNS,
    TOURNAMENT_COLUMNS,
    outbox,
    participant_row,
    participants,
    tournament_row,
    tournaments,
)

AnyRow = Row[*tuple[Any, ...]]
T = TypeVar("T")
JOB_COLUMNS = tuple(notice_jobs.c)
RETRY_COLUMNS = tuple(notice_retries.c)


class Databases(Protocol):
    """The databases of the records, one or several: `SqlRecords`, `ShardedRecords`."""

    async def read_of(self, tournament_id: int, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """See `SqlRecords.read_of`."""

    async def write_of(self, tournament_id: int, work: Callable[[AsyncConnection, int], Awaitable[T]]) -> T:
        """See `SqlRecords.write_of`."""

    async def read_each(self, ask: Callable[[AsyncConnection, Sequence[int] | None], Awaitable[T]]) -> list[T]:
        """See `SqlRecords.read_each`."""

    async def read_first(self, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """See `SqlRecords.read_first`."""

    async def write_first(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """See `SqlRecords.write_first`."""

    async def write_each(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> list[T]:
        """See `SqlRecords.write_each`."""


class SqlNotices:
    """See the module. `seal` encrypts settings."""

    def __init__(self, databases: Databases, seal: SettingsSeal) -> None:
        self._databases = databases
        self._seal = seal

    # -- settings -----------------------------------------------------------------------------------------------------

    async def settings_of(self, user_ids: Sequence[int], channel: Channel | None = None) -> dict[int, StoredSettings]:
        """See `Notices.settings_of`."""
        s = notification_settings.c
        wanted = s.channels.op("&")(channel_bit(channel)) != 0 if channel is not None else true()

        async def ask(connection: AsyncConnection) -> list[AnyRow]:
            found: list[AnyRow] = []
            for part in in_parts(list(user_ids)):
                found += await connection.execute(
                    select(s.user_id, s.version, s.data).where(s.user_id.in_(part), wanted)
                )
            return found

        return {each.user_id: each for each in self._opened(await self._databases.read_first(ask))}

    async def settings_after(self, user_id: int, limit: int, *, overtaken: bool = False) -> list[StoredSettings]:
        """See `Notices.settings_after`."""
        s = notification_settings.c
        statement = select(s.user_id, s.version, s.data).where(s.user_id > user_id).order_by(s.user_id).limit(limit)
        if overtaken:
            statement = statement.where(s.overtaken == true())

        async def ask(connection: AsyncConnection) -> Sequence[AnyRow]:
            return await _all(connection, statement)

        return self._opened(await self._databases.read_first(ask))

    def _opened(self, rows: Iterable[AnyRow]) -> list[StoredSettings]:
        return [StoredSettings(user, version, self._seal.open(user, data)) for user, version, data in rows]

    async def put_settings(self, user_id: int, settings: NotificationSettings, after: int) -> bool:
        """See `Notices.put_settings`."""
        s = notification_settings.c
        values = {
            "channels": channel_bits(settings),
            "overtaken": settings.overtaken,
            "version": after + 1,
            "data": self._seal.close(user_id, settings),
        }

        async def put(connection: AsyncConnection) -> bool:
            if after == 0:  # two that make it at the same time: the key lets one of them
                await connection.execute(insert(notification_settings), [{"user_id": user_id, **values}])
                return True
            same = and_(s.user_id == user_id, s.version == after)
            return (await connection.execute(update(notification_settings).where(same).values(values))).rowcount == 1

        try:
            return await self._databases.write_first(put)
        except IntegrityError:  # it has a row
            return False

    # -- events become jobs -------------------------------------------------------------------------------------------

    async def noted(self, limit: int) -> list[OutboxRow]:
        """See `Notices.noted`."""
        o = outbox.c
        statement = select(o.tournament_id, o.log_offset, o.n, o.kind, o.payload).where(o.kind == NOTICE_KIND)
        ordered = statement.order_by(o.tournament_id, o.log_offset, o.n).limit(limit)
        return sorted(OutboxRow(*row) for row in await self._each(ordered, o.tournament_id))[:limit]

    async def begin(
        self,
        tournament_id: int,
        key: str,
        payload: bytes,
        channels: Sequence[Channel],
        now_ms: int,
        effect: OutboxRow | None = None,
    ) -> None:
        """See `Notices.begin`."""
        job = NoticeJob(tournament_id, key, "", payload, 0, now_ms, 0, None, 0, 0)
        rows = [_job_values(job._replace(channel=channel)) for channel in channels]
        o = outbox.c

        async def make(connection: AsyncConnection, _partition: int) -> None:
            if rows:
                await connection.execute(insert_new(connection.dialect.name, notice_jobs), rows)
            if effect is not None:
                same = and_(o.tournament_id == effect.tournament_id, o.log_offset == effect.offset, o.n == effect.n)
                await connection.execute(delete(outbox).where(same))

        await self._databases.write_of(tournament_id, make)

    async def starting(self, after_ms: int, upto_ms: int, limit: int) -> list[TournamentRow]:
        """See `Notices.starting`."""
        t = tournaments.c
        statement = select(*TOURNAMENT_COLUMNS).where(
            t.status == "scheduled", t.start_time > after_ms, t.start_time <= upto_ms
        )
        ordered = statement.order_by(t.start_time, t.tournament_id).limit(limit)
        found = [tournament_row(row) for row in await self._each(ordered, None)]
        return sorted(found, key=lambda row: (row.starts_ms or 0, row.tournament_id))[:limit]

    # -- jobs ---------------------------------------------------------------------------------------------------------

    async def open_jobs(self, channel: str, limit: int) -> list[NoticeJob]:
        """See `Notices.open_jobs`."""
        j = notice_jobs.c
        statement = select(*JOB_COLUMNS).where(j.channel == channel, j.done_ms.is_(None))
        ordered = statement.order_by(j.worked_ms, j.made_ms, j.tournament_id).limit(limit)
        found = [NoticeJob(*row) for row in await self._each(ordered, j.tournament_id)]
        return sorted(found, key=lambda job: (job.worked_ms, job.made_ms, job.tournament_id))[:limit]

    async def recipients(self, tournament_id: int, after: int, upto_ms: int, limit: int) -> list[ParticipantRow]:
        """See `Notices.recipients`."""
        p = participants.c
        statement = select(*PARTICIPANT_COLUMNS).where(
            p.tournament_id == tournament_id, p.user_id > after, p.active == true(), p.joined_ms <= upto_ms
        )
        rows = await self._of(tournament_id, statement.order_by(p.user_id).limit(limit))
        return [participant_row(row) for row in rows]

    async def recipient(self, tournament_id: int, user_id: int) -> ParticipantRow | None:
        """See `Notices.recipient`."""
        p = participants.c
        statement = select(*PARTICIPANT_COLUMNS).where(p.tournament_id == tournament_id, p.user_id == user_id)
        rows = await self._of(tournament_id, statement)
        return participant_row(rows[0]) if rows else None

    async def advance(self, job: NoticeJob, after: NoticeJob, retries: Sequence[NoticeRetry]) -> bool:
        """See `Notices.advance`."""
        j = notice_jobs.c
        moved = (
            _job(job.tournament_id, job.key, job.channel)
            .where(j.last_user == job.cursor, j.done_ms.is_(None))
            .values(
                last_user=after.cursor,
                worked_ms=after.worked_ms,
                done_ms=after.done_ms,
                sent=j.sent + (after.sent - job.sent),
                failed=j.failed + (after.failed - job.failed),
            )
        )

        async def change(connection: AsyncConnection, _partition: int) -> bool:
            if (await connection.execute(moved)).rowcount != 1:
                return False
            if retries:
                rows = [_retry_values(retry) for retry in retries]
                await connection.execute(insert_new(connection.dialect.name, notice_retries), rows)
            return True

        return await self._databases.write_of(job.tournament_id, change)

    # -- retries ------------------------------------------------------------------------------------------------------

    async def due_retries(self, channel: str, now_ms: int, limit: int) -> list[NoticeRetry]:
        """See `Notices.due_retries`."""
        r = notice_retries.c
        statement = select(*RETRY_COLUMNS).where(r.channel == channel, r.due_ms <= now_ms)
        ordered = statement.order_by(r.due_ms, r.tournament_id, r.user_id).limit(limit)
        found = [NoticeRetry(*row) for row in await self._each(ordered, r.tournament_id)]
        return sorted(found, key=lambda each: (each.due_ms, each.tournament_id, each.user_id))[:limit]

    async def settle(self, retry: NoticeRetry, again: NoticeRetry | None, *, sent: bool) -> None:
        """See `Notices.settle`."""
        r, j = notice_retries.c, notice_jobs.c
        same = and_(
            r.tournament_id == retry.tournament_id,
            r.notice_key == retry.key,
            r.channel == retry.channel,
            r.user_id == retry.user_id,
        )
        counted = _job(retry.tournament_id, retry.key, retry.channel).values(
            {j.sent: j.sent + 1} if sent else {j.failed: j.failed + 1}
        )

        async def change(connection: AsyncConnection, _partition: int) -> None:
            if again is not None:
                await connection.execute(
                    update(notice_retries).where(same).values(attempts=again.attempts, due_ms=again.due_ms)
                )
            elif (await connection.execute(delete(notice_retries).where(same))).rowcount:
                await connection.execute(counted)

        await self._databases.write_of(retry.tournament_id, change)

    async def forget_user(self, user_id: int) -> None:
        """See `Notices.forget_user`."""

        async def settings(connection: AsyncConnection) -> None:
            await connection.execute(delete(notification_settings).where(notification_settings.c.user_id == user_id))

        async def retries(connection: AsyncConnection) -> None:
            await connection.execute(delete(notice_retries).where(notice_retries.c.user_id == user_id))

        await self._databases.write_first(settings)
        await self._databases.write_each(retries)

    # -- looking on ---------------------------------------------------------------------------------------------------

    async def progress(self, limit: int, tournament_id: int | None = None) -> list[tuple[NoticeJob, int]]:
        """See `Notices.progress`."""
        j, r = notice_jobs.c, notice_retries.c
        waiting = (
            select(func.count())
            .where(r.tournament_id == j.tournament_id, r.notice_key == j.notice_key, r.channel == j.channel)
            .scalar_subquery()
        )
        statement = select(*JOB_COLUMNS, waiting).order_by(j.done_ms.is_not(None), j.made_ms.desc(), j.channel)
        if tournament_id is not None:
            statement = statement.where(j.tournament_id == tournament_id)
        rows = await self._each(statement.limit(limit), j.tournament_id)
        found = [(NoticeJob(*row[:-1]), int(row[-1])) for row in rows]
        return sorted(found, key=lambda row: (row[0].done_ms is not None, -row[0].made_ms, row[0].channel))[:limit]

    async def prune(self, before_ms: int) -> int:
        """See `Notices.prune`."""
        j, r = notice_jobs.c, notice_retries.c
        waits = exists().where(r.tournament_id == j.tournament_id, r.notice_key == j.notice_key, r.channel == j.channel)
        old = delete(notice_jobs).where(j.done_ms < before_ms, ~waits)

        async def forget(connection: AsyncConnection) -> int:
            return int((await connection.execute(old)).rowcount)

        return sum(await self._databases.write_each(forget))

    # -- the databases ------------------------------------------------------------------------------------------------

    async def _of(self, tournament_id: int, statement: Select[Any]) -> Sequence[AnyRow]:
        async def ask(connection: AsyncConnection) -> Sequence[AnyRow]:
            return await _all(connection, statement)

        return await self._databases.read_of(tournament_id, ask)

    async def _each(self, statement: Select[Any], tournament: ColumnElement[int] | None) -> list[AnyRow]:
        """Rows of all databases: of tournaments, or what belongs to the `tournament` of a column, of partitions that lie there."""
        if tournament is not None:
            statement = statement.join(tournaments, tournaments.c.tournament_id == tournament)

        async def ask(connection: AsyncConnection, held: Sequence[int] | None) -> Sequence[AnyRow]:
            # a move may have left others there, or copied some ahead
            theirs = statement if held is None else statement.where((tournaments.c.log_partition + 0).in_(held))
            return await _all(connection, theirs)

        return [row for rows in await self._databases.read_each(ask) for row in rows]


async def _all(connection: AsyncConnection, statement: Select[Any]) -> Sequence[AnyRow]:
    found: Sequence[AnyRow] = (await connection.execute(statement)).all()
    return found


def _job(tournament_id: int, key: str, channel: str) -> Update:
    j = notice_jobs.c
    return update(notice_jobs).where(j.tournament_id == tournament_id, j.notice_key == key, j.channel == channel)


def _job_values(job: NoticeJob) -> dict[str, Any]:
    return {column.name: value for column, value in zip(JOB_COLUMNS, job, strict=True)}


def _retry_values(retry: NoticeRetry) -> dict[str, Any]:
    return {column.name: value for column, value in zip(RETRY_COLUMNS, retry, strict=True)}
