"""How boards are shown: the rankings within a group, the groups of a board, the teams. Pure reads of the state; pages by 0-based place."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import UNSET

from actors.domain.boards.tables import GroupRow, TeamRow, group_rows, team_rows
from actors.domain.messages.scoring import TEAM_BOARD
from actors.domain.tournament import Tournament
from actors.domain.values import decimal_score
from actors.domain.views import position_of, rows_of


def group_rankings(
    state: Tournament,
    board: str,
    group: str,
    start: int,
    limit: int,
    around: int | None,
    epoch: int,
    seq: int,
    status: str,
) -> dict[str, Any] | None:
    """`GET .../rankings?board=&group=`: as the rankings, of one group alone. None for an unknown board or group, and where the user that
    the page is to be around has no rank there.
    """
    groups = state.groups.get(board)
    members = None if groups is None else groups.slots_of(group)
    if members is None:
        return None
    ordered = state.ranking.sorted_of(members)
    if around is not None:
        found = np.flatnonzero(ordered == state.members.slot(around))
        if not len(found):
            return None
        start = max(0, min(int(found[0]) - limit // 2, len(ordered) - limit))
    page = slice(start, start + limit)
    more = around is None and start + limit < len(ordered)
    return {
        "rows": rows_of(state, ordered[page], state.ranking.ranks_among(ordered)[page]),
        "total": len(ordered),
        "status": status,
        "next_cursor": str(start + limit) if more else None,
        "position": position_of(state, epoch, seq),
    }


def groups_of(state: Tournament, board: str) -> list[GroupRow] | None:
    """The groups of a board; None for an unknown board."""
    groups = state.groups.get(board)
    return None if groups is None else group_rows(state.ranking, groups, map(bool, state.members.active))


def teams_of(state: Tournament) -> list[TeamRow] | None:
    """The table of the teams; None for a tournament without."""
    teams = state.spec.teams
    if teams is UNSET:
        return None
    return team_rows(
        state.ranking,
        state.groups[TEAM_BOARD],
        map(bool, state.members.active),
        descending=state.spec.order == "desc",
        dense=state.spec.ties == "dense",
        best=None if teams.best is UNSET else teams.best,
    )


def groups_page(
    state: Tournament, rows: list[GroupRow], start: int, limit: int, epoch: int, seq: int, status: str
) -> dict[str, Any]:
    """`GET .../boards/{board}`."""
    shown = rows[start : start + limit]
    best = rows_of(state, np.array([row.best for row in shown if row.best >= 0], np.int32))
    leaders = {row["user_id"]: row for row in best}
    slots = state.members.users
    items = [
        {
            "group": row.group,
            "participants": row.participants,
            "ranked": row.ranked,
            "best": None if row.best < 0 else leaders[str(slots.user_id(row.best))],
        }
        for row in shown
    ]
    return _page(state, {"groups": items}, len(rows), start + limit, epoch, seq, status)


def teams_page(
    state: Tournament, rows: list[TeamRow], start: int, limit: int, epoch: int, seq: int, status: str
) -> dict[str, Any]:
    """`GET .../teams`."""
    items = [
        {
            "rank": row.rank,
            "team": row.team,
            "score": None if row.score is None else decimal_score(row.score),
            "participants": row.participants,
            "counted": row.counted,
        }
        for row in rows[start : start + limit]
    ]
    return _page(state, {"rows": items}, len(rows), start + limit, epoch, seq, status)


def _page(
    state: Tournament, items: dict[str, Any], total: int, stop: int, epoch: int, seq: int, status: str
) -> dict[str, Any]:
    return {
        **items,
        "total": total,
        "status": status,
        "next_cursor": str(stop) if stop < total else None,
        "position": position_of(state, epoch, seq),
    }
