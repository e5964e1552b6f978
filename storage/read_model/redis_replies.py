"""What the read model's scripts answer, as the owner's replies: the same fields, the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET

from actors.domain import views
from actors.domain.read_model_rows import decode_participant
from storage.ports import RankingsQuery, Reply

NOT_FOUND: Final = Reply(found=False)


def participant_reply(answer: Sequence[Any]) -> Reply | None:
    """The reply of `Owners.participant`; None where a part of the read model is missing, or ranks within groups, which nobody counts here."""
    head, stored, *place = answer
    if stored is None:
        return NOT_FOUND
    kept = decode_participant(stored)
    if kept.boards is not UNSET:
        return None
    rank = percentile = None
    if place:
        position, better, better_ranks, total = place
        if position is None:
            return None
        rank = _rank(head, position, better_ranks)
        percentile = 100.0 * (total - better) / total
    shown = {
        "user_id": kept.user_id,
        "name": kept.name,
        "score": kept.score,
        "rank": rank,
        "previous_rank": kept.previous_rank,
        "percentile": percentile,
        "attempts": kept.attempts,
        "scored_at": kept.scored_at,
    }
    if kept.more is not UNSET:
        shown |= kept.more
    if kept.subscore is not UNSET:
        shown["subscore"] = kept.subscore
    return reply(head, views.encode(shown))


def users_reply(answer: Sequence[Any]) -> Reply:
    """The reply of `Owners.rankings` for named users."""
    head, total, found = answer
    rows = [_row(stored, _rank(head, position, better)) for position, better, stored in sorted(found)]
    return reply(head, _page(head, rows, total, None))


def rankings_reply(answer: Sequence[Any], query: RankingsQuery) -> Reply | None:
    """The reply of `Owners.rankings` for a page; None where a part of the read model is missing."""
    head, total = answer[:2]
    if total is None:
        return NOT_FOUND
    first, better, stored_rows = answer[2:]
    if any(stored is None for stored in stored_rows):
        return None
    rows = _ranked(_ties(head), stored_rows, first, better)
    more = query.around is None and query.start + len(rows) < total
    return reply(head, _page(head, rows, total, str(query.start + len(rows)) if more else None))


def _ties(head: Sequence[bytes]) -> str:
    return head[5].decode()


def _rank(head: Sequence[bytes], position: int, better: int) -> int:
    return (position if _ties(head) == "first" else better) + 1


def _ranked(ties: str, stored_rows: Sequence[bytes], first: int, better: int) -> list[dict[str, Any]]:
    """The rows of a page from a position; `better` ranks are better than its first row's."""
    rows: list[dict[str, Any]] = []
    rank, last = better + 1, None
    for position, stored in enumerate(stored_rows, first):
        row = _row(stored, 0)
        if ties == "first":
            rank = position + 1
        elif rows and (row["score"], row.get("subscore")) != last:
            rank = position + 1 if ties == "shared" else rank + 1
        last, row["rank"] = (row["score"], row.get("subscore")), rank
        rows.append(row)
    return rows


def _row(stored: bytes, rank: int) -> dict[str, Any]:
    kept = decode_participant(stored)
    row = {
        "rank": rank,
        "user_id": kept.user_id,
        "name": kept.name,
        "score": kept.score,
        "scored_at": kept.scored_at,
    }
    if kept.subscore is not UNSET:
        row["subscore"] = kept.subscore
    return row


def _page(head: Sequence[bytes], rows: list[dict[str, Any]], total: int, next_cursor: str | None) -> bytes:
    position = {"epoch": int(head[0]), "seq": int(head[2]), "offset": int(head[1])}
    status = head[3].decode()
    return views.encode(
        {"rows": rows, "total": total, "status": status, "next_cursor": next_cursor, "position": position}
    )


def is_public(head: Sequence[Any]) -> bool:
    """Whether anyone may see it."""
    return bool(head[4] == b"1")


def reply(head: Sequence[Any], body: bytes) -> Reply:
    """The head's fields as an owner's reply has them, the tag too: the content is the same."""
    epoch, offset, seq, status = int(head[0]), int(head[1]), int(head[2]), head[3].decode()
    return Reply(
        found=True,
        public=is_public(head),
        body=body,
        etag=f'"{epoch:x}-{offset:x}-{seq:x}-{status[0]}"',
        status=status,
        epoch=epoch,
        seq=seq,
        offset=offset,
    )
