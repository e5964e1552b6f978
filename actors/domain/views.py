"""How a tournament is shown: the contract's JSON of the view, the rankings, a participant, the live data. Pure reads of the state.

`status` is handed in: an owner shows a tournament as finished only once that is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import UNSET

from actors.domain.boards.tables import group_standing
from actors.domain.life.freeze import is_frozen
from actors.domain.life.windows import closes_at
from actors.domain.messages import EndsWhen, Spec
from actors.domain.messages.spec import CohortPlace, Recurrence, SeriesPlace
from actors.domain.publications import (
    AddRow,
    LiveData,
    LiveRow,
    MoveRow,
    PatchOperation,
    RemoveRow,
    ReplaceValue,
)
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.scoring.rules import shown_scoring
from actors.domain.series.children import cohort_of
from actors.domain.tournament import Tournament
from actors.domain.values import MAX_ATTEMPTS, decimal_score, rfc3339

TOP_ROWS: Final = 20
UNPUBLISHED: Final = -1  # as a `seq`: what is shown is of no published update


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else rfc3339(time_ms)


def _seconds(duration_ms: int | None) -> float | int | None:
    return None if duration_ms is None else decimal_ms(duration_ms)


def decimal_ms(duration_ms: int) -> float | int:
    """Milliseconds as seconds: an integer where it is whole."""
    whole, rest = divmod(duration_ms, 1000)
    return whole if rest == 0 else duration_ms / 1000


def _recurrence(recurrence: Recurrence) -> dict[str, Any]:
    return {
        "cron": recurrence.cron,
        "time_zone": recurrence.time_zone,
        "duration_s": decimal_ms(recurrence.duration_ms),
        "ahead": recurrence.ahead,
    }


def _series_place(at: SeriesPlace) -> dict[str, Any]:
    tier = {} if at.tier is UNSET else {"tier": at.tier}
    return {"id": at.of, "at": rfc3339(at.at_ms), **tier}


def _cohort_place(cohort: CohortPlace) -> dict[str, Any]:
    return {"tournament_id": cohort.of, "number": cohort.number}


def _shown_end(wanted: EndsWhen) -> dict[str, Any]:
    if wanted.target_score is None:
        return {"all_done": True}
    return {"target_score": decimal_score(wanted.target_score), "count": wanted.count}


# Fields of the spec that came later: the contract's name of each, and how its value is shown.
LATER_FIELDS: Final[tuple[tuple[str, str, Callable[[Any], Any]], ...]] = (
    ("window_ms", "window_s", decimal_ms),
    ("freeze_ms", "freeze_s", decimal_ms),
    ("ends_when", "ends_when", _shown_end),
    ("display", "display", msgspec.to_builtins),
    ("prizes", "prizes", msgspec.to_builtins),
    ("recurrence", "recurrence", _recurrence),
    ("cohorts", "cohorts", msgspec.to_builtins),
    ("league", "league", msgspec.to_builtins),
    ("series", "series", _series_place),
    ("cohort", "cohort", _cohort_place),
    ("scoring", "scoring", shown_scoring),
    ("subscore", "subscore", msgspec.to_builtins),
    ("boards", "boards", list),
    ("teams", "teams", msgspec.to_builtins),
)


def spec_fields(
    spec: Spec, tournament_id: int, created_ms: int, creator: int, version: int, dedicated: bool
) -> dict[str, Any]:
    """The spec as clients wrote it, with ids and times in the contract's form: the same in the view and in lists."""
    return {
        "id": str(tournament_id),
        **spec_values(spec),
        **({} if spec.recurrence is UNSET else {"series": {"id": str(tournament_id)}}),
        "placement": "dedicated" if dedicated else "shared",
        "created_at": rfc3339(created_ms),
        "created_by": str(creator),
        "version": version,
    }


def spec_values(spec: Spec) -> dict[str, Any]:
    """The spec in the contract's names and form; fields that came later are absent where they are not used."""
    return {
        "name": spec.name,
        "type": spec.type,
        "visibility": spec.visibility,
        "starts_at": _time(spec.starts_ms),
        "ends_at": _time(spec.ends_ms),
        "duration_s": _seconds(spec.duration_ms),
        "capacity": spec.capacity,
        "min_participants": spec.min_participants,
        "join_until": spec.join_until,
        "order": spec.order,
        "score_policy": spec.score_policy,
        "ties": spec.ties,
        "max_attempts": None if spec.max_attempts == MAX_ATTEMPTS else spec.max_attempts,  # null means the most
        "placement": spec.placement,
        "metadata": spec.metadata,
        **{shown: show(value) for name, shown, show in LATER_FIELDS if (value := getattr(spec, name)) is not UNSET},
    }


def position_of(state: Tournament, epoch: int, seq: int) -> dict[str, int]:
    """Where what is shown stands: `offset` is its newest record's, so it changes whenever the table does; `seq` is the published update that
    shows the same, or UNPUBLISHED: only then do the updates after it apply to exactly this."""
    return {"epoch": epoch, "seq": seq, "offset": state.offset}


def view(state: Tournament, epoch: int, seq: int, status: str) -> dict[str, Any]:
    """`GET /v1/tournaments/{id}`."""
    return {
        **spec_fields(state.spec, state.tournament_id, state.created_ms, state.creator, state.version, state.dedicated),
        "status": status,
        "revision": state.revision,
        "finished_at": _time(state.finished_ms) if status in ("finished", "cancelled") else None,
        "participants": state.members.joined,
        "top": rows(state, 0, TOP_ROWS),
        "position": position_of(state, epoch, seq),
        **({"frozen": True} if is_frozen(state, status) else {}),
    }


def rows(state: Tournament, start: int, count: int) -> list[dict[str, Any]]:
    """Rows of the table from a 0-based position, in listing order."""
    return rows_of(state, state.ranking.slots(start, count))


def rows_of(state: Tournament, slots: np.ndarray, ranks: np.ndarray | None = None) -> list[dict[str, Any]]:
    """The table's rows of some ranked slots, in the order given; `ranks` where they are not those of the whole table."""
    if len(slots) == 0:
        return []
    members, ranking = state.members, state.ranking
    shown = [
        {
            "rank": rank,
            "user_id": str(user),
            "name": members.names[slot],
            "score": decimal_score(score),
            "scored_at": rfc3339(members.scored_ms[slot]),
        }
        for slot, rank, user, score in zip(
            slots.tolist(),
            (ranking.ranks(slots) if ranks is None else ranks).tolist(),
            members.users.user_ids(slots).tolist(),
            ranking.scores_of(slots).tolist(),
            strict=True,
        )
    ]
    if isinstance(ranking, SubscoreRanking):
        for row, subscore in zip(shown, ranking.subscores_of(slots).tolist(), strict=True):
            row["subscore"] = decimal_score(subscore)
    return shown


def rankings(
    state: Tournament,
    start: int,
    limit: int,
    around: int | None,
    users: tuple[int, ...],
    epoch: int,
    seq: int,
    status: str,
) -> dict[str, Any] | None:
    """`GET .../rankings`: a page, or around a user (None when they have no rank), or of named users (best first)."""
    ranking, next_cursor = state.ranking, None
    if users:
        known = [slot for slot in (state.members.slot(user) for user in dict.fromkeys(users)) if slot >= 0]
        placed = [(position, slot) for slot in known if (position := ranking.position(slot)) is not None]
        shown = rows_of(state, np.array([slot for _, slot in sorted(placed)], dtype=np.int32))
    elif around is not None:
        slot = state.members.slot(around)
        position = ranking.position(slot) if slot >= 0 else None
        if position is None:
            return None
        first = max(0, min(position - limit // 2, len(ranking) - limit))
        shown = rows(state, first, limit)
    else:
        shown = rows(state, start, limit)
        if start + len(shown) < len(ranking):
            next_cursor = str(start + len(shown))
    return {
        "rows": shown,
        "total": len(ranking),
        "status": status,
        "next_cursor": next_cursor,
        "position": position_of(state, epoch, seq),
    }


def found(
    state: Tournament, slots: list[int], start: int, limit: int, epoch: int, seq: int, status: str
) -> dict[str, Any]:
    """`GET .../rankings?q=`: as the rankings, of these slots alone, with the ranks of the whole table; `total` counts those that are listed."""
    listed = state.ranking.sorted_of(np.array(slots, np.int32))
    stop = start + limit
    return {
        "rows": rows_of(state, listed[start:stop]),
        "total": len(listed),
        "status": status,
        "next_cursor": str(stop) if stop < len(listed) else None,
        "position": position_of(state, epoch, seq),
    }


def participant(
    state: Tournament, user_id: int, previous_rank: int | None, *, ranked: bool = True, own: bool = False
) -> dict[str, Any] | None:
    """`GET .../participants/{user}`, or None for one who does not take part.

    `ranked` False: one's own score while the table stands still, without its rank. `own`: also what is
    nobody else's business, such as extra time or why one is disqualified.
    """
    slot = state.members.slot(user_id)
    if slot < 0:
        return None
    members, score = state.members, state.ranking.score(slot)
    cohort = cohort_of(state, slot)
    return {
        "user_id": str(user_id),
        "name": members.names[slot],
        "score": None if score is None else decimal_score(score),
        "rank": state.ranking.rank(slot) if ranked else None,
        "previous_rank": previous_rank if ranked else None,
        "percentile": state.ranking.percentile(slot) if ranked else None,
        "attempts": members.attempts[slot],
        "scored_at": None if score is None else rfc3339(members.scored_ms[slot]),
        **(_own_time(state, slot) if own else {}),
        **_disqualified(members.disqualified.get(slot), own=own),
        **({} if cohort is None else {"cohort": cohort}),
        **_beside(state, slot, ranked=ranked),
    }


def _own_time(state: Tournament, slot: int) -> dict[str, Any]:
    """What a participant's own time is about, where it is used."""
    members, told = state.members, dict[str, Any]()
    if slot in members.began_ms:
        told["began_at"] = rfc3339(members.began_ms[slot])
    if slot in members.done_ms:
        told["done_at"] = rfc3339(members.done_ms[slot])
    if slot in members.extra_ms:
        told["extra_s"] = decimal_ms(members.extra_ms[slot])
    if state.spec.window_ms is not UNSET or slot in members.extra_ms:
        told["closes_at"] = _time(closes_at(state, slot))
    return told


def _disqualified(reason: str | None, *, own: bool) -> dict[str, Any]:
    if reason is None:
        return {}
    return {"disqualified": True, **({"reason": reason} if own else {})}


def history(state: Tournament) -> dict[str, Any]:
    """`GET .../history`, newest first."""
    return {
        "items": [
            {
                "at": rfc3339(entry.at_ms),
                "by": entry.by,
                "action": entry.action,
                "from": entry.before,
                "to": entry.after,
            }
            for entry in reversed(state.history)
        ]
    }


def invitations(state: Tournament) -> dict[str, Any]:
    """`GET .../invitations`, newest first."""
    return {
        "items": [
            {
                "id": name,
                "user_id": str(given.user_id) if given.user_id else None,
                "uses": given.uses,
                "uses_left": given.uses - given.used,
                "expires_at": _time(given.expires_ms),
                "created_at": rfc3339(given.given_ms),
                "created_by": given.by,
            }
            for name, given in sorted(state.invitations.items(), key=lambda item: -item[1].offset)
        ]
    }


def _beside(state: Tournament, slot: int, *, ranked: bool) -> dict[str, Any]:
    """What a participant of a tournament with a subscore or with boards has beside the rest."""
    ranking = state.ranking
    fields: dict[str, Any] = {}
    if isinstance(ranking, SubscoreRanking):
        subscore = ranking.subscore(slot)
        fields["subscore"] = None if subscore is None else decimal_score(subscore)
    if state.groups and ranked:
        standings = {board: group_standing(ranking, groups, slot) for board, groups in state.groups.items()}
        fields["boards"] = {board: standing._asdict() for board, standing in standings.items() if standing is not None}
    return fields


def top_row(state: Tournament, slot: int, score: int, subscore: int | None = None) -> LiveRow:
    """A row of the live table, without its rank, which follows from its index, the scores (and subscores) and `ties`; hundredths."""
    members = state.members
    row: LiveRow = {
        "user_id": str(members.users.user_id(slot)),
        "name": members.names[slot],
        "score": decimal_score(score),
    }
    if subscore is not None:
        row["subscore"] = decimal_score(subscore)
    return row


def live_fields(state: Tournament, status: str, shown: list[LiveRow]) -> LiveData:
    """`data` of a live snapshot; `shown` are the live table's rows."""
    return {
        "status": status,
        "participants": state.members.joined,
        "starts_at": _time(state.spec.starts_ms),
        "ends_at": _time(state.spec.ends_ms),
        "ties": state.spec.ties,
        "top": shown,
    }


def patch(before: LiveData, after: LiveData) -> list[PatchOperation]:
    """The JSON Patch (RFC 6902) that turns one live `data` into another; rows that moved become `move` operations."""
    was: Mapping[str, object] = before
    operations: list[PatchOperation] = [
        ReplaceValue(f"/{key}", value) for key, value in after.items() if key != "top" and was[key] != value
    ]
    if before["top"] != after["top"]:
        operations += _table_patch(list(before["top"]), after["top"])
    return operations


def whole_patch(data: LiveData) -> list[PatchOperation]:
    """The JSON Patch that turns any live `data` into this one."""
    return [ReplaceValue(f"/{key}", value) for key, value in data.items()]


def _table_patch(table: list[LiveRow], wanted: list[LiveRow]) -> list[PatchOperation]:
    """The operations that turn `table` (which is changed) into `wanted`: one for a row that rises or falls, in the common case."""
    operations: list[PatchOperation] = []
    targets = {row["user_id"]: index for index, row in enumerate(wanted)}
    for index in range(len(table) - 1, -1, -1):
        if table[index]["user_id"] not in targets:
            operations.append(RemoveRow(f"/top/{index}"))
            del table[index]
    for index, row in enumerate(wanted):
        user = row["user_id"]
        at, size = index, len(table)
        while at < size and table[at]["user_id"] != user:
            at += 1
        if at == size:
            operations.append(AddRow(f"/top/{index}", row))
            table.insert(index, row)
            continue
        if at == index + 1:  # the one in its place falls
            below = min(targets[table[index]["user_id"]], size - 1)
            operations.append(MoveRow(f"/top/{index}", f"/top/{below}"))
            table.insert(below, table.pop(index))
        elif at != index:
            operations.append(MoveRow(f"/top/{at}", f"/top/{index}"))
            table.insert(index, table.pop(at))
        shown = table[index]
        if shown is not row:
            operations.extend(
                ReplaceValue(f"/top/{index}/{key}", row.get(key))
                for key in ("name", "score", "subscore")
                if shown.get(key) != row.get(key)
            )
    return operations


encode = msgspec.json.Encoder().encode
