"""What of a tournament is shown to whom, for owners and read models alike: the public, its participants, services and operators.

While the table stands still, the public sees that table, participants their own score without its rank, and who asks in `full` the real one.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from actors.domain import views
from actors.domain.life.freeze import is_frozen, shown
from actors.domain.results.table import encode_results, results_table
from actors.domain.tournament import Tournament


def view(state: Tournament, epoch: int, seq: int, status: str, *, full: bool) -> dict[str, Any]:
    """The view; `seq` as in `views.position_of`: no published update shows the real table of a frozen one."""
    if full and is_frozen(state, status):
        return views.view(state, epoch, views.UNPUBLISHED, status)
    return views.view(shown(state, status), epoch, seq, status)


def rankings(
    state: Tournament,
    start: int,
    limit: int,
    around: int | None,
    users: tuple[int, ...],
    epoch: int,
    seq: int,
    status: str,
    *,
    full: bool,
) -> dict[str, Any] | None:
    """The rankings, as `views.rankings`."""
    real = full and is_frozen(state, status)
    table, at = (state, views.UNPUBLISHED) if real else (shown(state, status), seq)
    return views.rankings(table, start, limit, around, users, epoch, at, status)


def found(
    state: Tournament, slots: list[int], start: int, limit: int, epoch: int, seq: int, status: str, *, full: bool
) -> dict[str, Any]:
    """Those of some slots that are listed, as `views.found`."""
    real = full and is_frozen(state, status)
    table, at = (state, views.UNPUBLISHED) if real else (shown(state, status), seq)
    return views.found(table, slots, start, limit, epoch, at, status)


def results(state: Tournament, status: str, *, full: bool) -> bytes:
    """The results, encoded."""
    return encode_results(results_table(state if full else shown(state, status), status))


def participant(
    state: Tournament, user_id: int, previous_rank: int | None, status: str, *, own: bool, full: bool
) -> dict[str, Any] | None:
    """One who takes part, as `views.participant`."""
    frozen = is_frozen(state, status)
    if full or not frozen:
        return views.participant(state, user_id, previous_rank, own=own or full)
    if own:
        return views.participant(state, user_id, None, ranked=False, own=True)
    return views.participant(shown(state, status), user_id, None)


def is_personal(state: Tournament, user_id: int, status: str) -> bool:
    """Whether one who takes part is shown otherwise to themselves, services and operators than to all."""
    members = state.members
    slot = members.users.slot(user_id)
    own = (members.disqualified, members.extra_ms, members.done_ms)
    return is_frozen(state, status) or state.spec.window_ms is not UNSET or any(slot in kept for kept in own)
