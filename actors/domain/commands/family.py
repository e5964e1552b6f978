"""What an owner tells a parent: a tournament of the series opens, a league's final tables moved its players, errands are written."""

from __future__ import annotations

from msgspec import UNSET

from actors.domain.events import Event, outcome_of
from actors.domain.messages import Open, Standings, Written
from actors.domain.series.family import MAX_OCCURRENCES, Errand
from actors.domain.tournament import Tournament


def open_next(state: Tournament, offset: int, message: Open, _user_id: int) -> list[Event]:
    """Open the next occurrence, once: whoever comes second, or with another time after the same one, is refused."""
    reason = _open_problem(state, message)
    family, league = state.family, state.spec.league
    if not reason and family is not None:
        family.occurrences.append(message.starts_ms)
        del family.occurrences[:-MAX_OCCURRENCES]
        family.missed += message.missed
        tiers = [0] if league is UNSET else range(1, league.tiers + 1)
        family.errands += [Errand("open", message.starts_ms, tier) for tier in tiers]
    return [outcome_of(offset, message, reason, first=not reason)]


def _open_problem(state: Tournament, message: Open) -> str:
    recurrence, family = state.spec.recurrence, state.family
    if recurrence is UNSET or family is None:
        return "no_series"
    if state.over:
        return "already_over"
    last_ms = family.occurrences[-1] if family.occurrences else 0
    if message.after_ms != last_ms or message.starts_ms <= last_ms:
        return "stale"
    ahead = sum(starts_ms > state.time_ms for starts_ms in family.occurrences)
    room = recurrence.ahead if state.spec.type == "scheduled" else 0
    return "early" if message.starts_ms > state.time_ms and ahead >= room else ""


def written(state: Tournament, offset: int, message: Written, _user_id: int) -> list[Event]:
    """Errands up to a number are in the log: they are done with."""
    family = state.family
    reason = "no_family" if family is None else "already_over" if state.over else ""
    if family is not None and not reason:
        done = min(max(0, message.upto - family.written), len(family.errands))
        del family.errands[:done]
        family.written += done
    return [outcome_of(offset, message, reason)]


def standings(state: Tournament, offset: int, message: Standings, _user_id: int) -> list[Event]:
    """The final tables of an occurrence move a league's players, once, and the occurrences in order."""
    family, league = state.family, state.spec.league
    undecided = [] if family is None else [at for at in family.occurrences if at > family.decided_ms]
    reason = (
        "no_league"
        if family is None or league is UNSET
        else "already_over"
        if state.over
        else "stale"
        if not undecided or undecided[0] != message.starts_ms
        else ""
    )
    if not reason and family is not None and league is not UNSET:
        family.decided_ms = message.starts_ms
        for user, tier in message.moves:
            slot = state.members.users.slot(int(user))
            if slot >= 0 and 1 <= tier <= league.tiers:
                state.members.tier[slot] = tier
    return [outcome_of(offset, message, reason, first=not reason)]
