"""The queries of the durable store: pages of tournaments, a user's tournaments, and the cursors between pages."""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, Table, and_, exists, false, null, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.texts import folded
from storage.ports.records import UNLISTED_TYPES, ListQuery, ParticipantRow, StoredSnapshot, TournamentRow
from storage.records.sql.archive_schema import archived_participants
from storage.records.sql.schema import (
    FIRST_PART,
    PARTICIPANT_COLUMNS,
    TOURNAMENT_COLUMNS,
    participants,
    snapshots,
    tournaments,
)

T = TypeVar("T")


def encode_cursor(time_ms: int, tournament_id: int) -> str:
    """Names the last row of a page: a time in ms and a tournament id."""
    return encode_numbers(time_ms, tournament_id)


def decode_cursor(cursor: str) -> tuple[int, int]:
    """The inverse of `encode_cursor`. Raises ValueError."""
    time_ms, tournament_id = decode_numbers(cursor, 2)
    return time_ms, tournament_id


def encode_numbers(*position: int) -> str:
    """Names a place in an order by several numbers."""
    return base64.urlsafe_b64encode(".".join(map(str, position)).encode()).decode().rstrip("=")


def decode_numbers(cursor: str, count: int) -> tuple[int, ...]:
    """The inverse of `encode_numbers` of so many. Raises ValueError."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        position = tuple(map(int, text.split(".")))
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"not a cursor: {cursor[:64]!r}") from error
    known = len(position) == count and all(abs(number) < 1 << 63 for number in position)
    if not known or encode_numbers(*position) != cursor:
        raise ValueError(f"not a cursor: {cursor[:64]!r}")
    return position


def place_in_list(row: TournamentRow) -> tuple[int, int]:
    """Where a tournament stands in lists, newest first."""
    return row.created_ms, row.tournament_id


def place_of_user(pair: tuple[TournamentRow, ParticipantRow]) -> tuple[int, int]:
    """Where it stands among a user's, newest joined first."""
    return pair[1].joined_ms, pair[1].tournament_id


def page(
    rows: list[T], limit: int, place: Callable[[T], tuple[int, int]], *, more: bool = False
) -> tuple[list[T], str | None]:
    """The first `limit` rows; and the cursor behind them, if these are not all, or there are `more` elsewhere."""
    if len(rows) <= limit and not more:
        return rows, None
    return rows[:limit], encode_cursor(*place(rows[limit - 1]))


def _beyond(time: ColumnElement[int], number: ColumnElement[int], cursor: str) -> ColumnElement[bool]:
    """Rows after the cursor's, newest first. Written so that an index on (time, number) bounds the scan."""
    time_ms, tournament_id = decode_cursor(cursor)
    return and_(time <= time_ms, or_(time < time_ms, number < tournament_id))


def _named(q: str) -> ColumnElement[bool]:
    """Rows whose name holds `q`, however it is written. No name holds a NUL, which databases take for the end of a pattern."""
    if "\0" in q:
        return false()
    # rows that were written before names were folded this way are found as they were
    patterns = dict.fromkeys((folded(q), q.casefold()))
    return or_(*(tournaments.c.name_folded.contains(pattern, autoescape=True) for pattern in patterns))


def list_tournaments(query: ListQuery) -> Select[Any]:
    """One row more than the page, to see whether there is another. Raises ValueError for a bad cursor."""
    t, p = tournaments.c, participants.c
    statement = select(*TOURNAMENT_COLUMNS)
    if query.status is not None:
        statement = statement.where(t.status == query.status)
    wanted = t.type.not_in(UNLISTED_TYPES) if query.type is None else t.type == query.type
    statement = statement.where(wanted)
    if query.q:
        statement = statement.where(_named(query.q))
    if not query.see_all:
        visible: ColumnElement[bool] = t.visibility == "public"
        if query.viewer is not None:
            takes_part = exists().where(
                p.tournament_id == t.tournament_id, p.user_id == query.viewer, p.active == true()
            )
            a = archived_participants.c
            took_part = exists().where(
                a.tournament_id == t.tournament_id,
                a.user_id == query.viewer,
                a.active == true(),
                _not_held(query.viewer),
            )
            visible = or_(visible, takes_part, took_part)
        statement = statement.where(visible)
    if query.cursor is not None:
        statement = statement.where(_beyond(t.created_ms, t.tournament_id, query.cursor))
    return statement.order_by(t.created_ms.desc(), t.tournament_id.desc()).limit(query.limit + 1)


def took_part(user_id: int, after: int, limit: int) -> list[Select[Any]]:
    """Ids of the tournaments that have a row of a user, beyond one; and of those that had, and have left the records."""

    def among(table: Table) -> Select[Any]:
        both = table.join(tournaments, table.c.tournament_id == tournaments.c.tournament_id)
        mine = select(table.c.tournament_id).select_from(both).where(table.c.user_id == user_id)
        return mine.where(table.c.tournament_id > after).order_by(table.c.tournament_id).limit(limit)

    return [among(participants), among(archived_participants)]


def user_tournaments(user_id: int, cursor: str | None, limit: int) -> list[Select[Any]]:
    """Tournament and participant columns, of what the records hold, and of what has left them: each one row more than the page. Raises
    ValueError for a bad cursor."""

    def among(table: Table) -> Select[Any]:
        own = table.c
        columns = (own[c.name] if c.name in own else null().label(c.name) for c in PARTICIPANT_COLUMNS)
        statement = (
            select(*TOURNAMENT_COLUMNS, *columns)
            .select_from(table.join(tournaments, own.tournament_id == tournaments.c.tournament_id))
            .where(own.user_id == user_id, own.active == true())
        )
        if cursor is not None:
            statement = statement.where(_beyond(own.joined_ms, own.tournament_id, cursor))
        return statement.order_by(own.joined_ms.desc(), own.tournament_id.desc()).limit(limit + 1)

    return [among(participants), among(archived_participants).where(_not_held(user_id))]


def _not_held(user_id: ColumnElement[int] | int) -> ColumnElement[bool]:
    """Whether the records have no row of a user any more who took part: one that came back has both, and its own counts."""
    p = participants.c
    return ~exists().where(p.tournament_id == archived_participants.c.tournament_id, p.user_id == user_id)


async def stored_snapshots(
    connection: AsyncConnection, tournament_ids: Sequence[int]
) -> dict[int, list[StoredSnapshot]]:
    """The snapshots of these tournaments, newest first: put together from their parts, with the deltas that follow them."""
    s = snapshots.c
    columns = select(s.tournament_id, s.log_offset, s.part, s.log_partition, s.data)
    rows = await connection.execute(
        columns.where(s.tournament_id.in_(tournament_ids)).order_by(s.tournament_id, s.log_offset, s.part)
    )
    found: dict[int, list[StoredSnapshot]] = {}
    for (number, offset), parts in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
        cut = sorted(parts, key=lambda row: abs(row[2]))
        data = cut[0][4] if len(cut) == 1 else b"".join(row[4] for row in cut)
        older = found.setdefault(number, [])
        if cut[0][2] == FIRST_PART:
            older.insert(0, StoredSnapshot(number, cut[0][3], offset, data))
        elif older:
            older.insert(0, older[0]._replace(offset=offset, deltas=(*older[0].deltas, data)))
    return found
