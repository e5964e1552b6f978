"""In what a tournament of the fold and the naive model's differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from actors.domain import views
from actors.domain.boards.views import groups_of, teams_of
from actors.domain.life.freeze import is_frozen, shown
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.tournament import Tournament
from tests.support.naive_tournament import NaiveTournament

Fact = tuple[str, Any, Any]  # its name, what the fold says, what the naive model says


def differences(state: Tournament, naive: NaiveTournament) -> list[Fact]:
    """All that they do not agree on; nothing where the fold is right."""
    facts = [*_tournament(state, naive), *_tables(state, naive), *_family(state, naive)]
    for user, person in naive.people.items():
        facts += ((f"{user}: {name}", got, wanted) for name, got, wanted in _person(state, naive, user, person))
    return [fact for fact in facts if fact[1] != fact[2]]


def _tournament(state: Tournament, naive: NaiveTournament) -> Iterator[Fact]:
    spec = state.spec
    yield "status", state.status, naive.status
    yield "version", state.version, naive.version
    yield "finished at", state.finished_ms, naive.finished_ms
    yield "times", (spec.starts_ms, spec.ends_ms), (naive.spec["starts_ms"], naive.spec["ends_ms"])
    yield "name, capacity", (spec.name, spec.capacity), (naive.spec["name"], naive.spec["capacity"])
    yield "time", state.time_ms, naive.now
    yield "participants", state.members.joined, len(naive.active())
    left = {name: kept.uses - kept.used for name, kept in state.invitations.items()}
    yield "invitations", left, {name: kept["left"] for name, kept in naive.invitations.items()}
    yield "revision", state.revision, naive.revision
    yield "revealed", state.revealed, naive.revealed
    yield "late", state.late_ms, naive.late_ms
    yield "prizes approved", bool(state.settled), naive.settled
    yield "frozen", is_frozen(state, state.status), naive.frozen is not None and naive.status != "finished"
    yield "people", len(state.members), len(naive.people)


def _tables(state: Tournament, naive: NaiveTournament) -> Iterator[Fact]:
    table, rows = naive.table(), views.rows(state, 0, 100)
    yield "table", [int(row["user_id"]) for row in rows], table
    yield "ranks", [row["rank"] for row in rows], [naive.rank(user) for user in table]
    public = views.rows(shown(state, state.status), 0, 100)
    yield "public", [(int(row["user_id"]), round(row["score"] * 100)) for row in public], naive.shown_table()
    user_of = state.members.users.user_id
    for board in state.groups:
        groups = groups_of(state, board) or []
        told = [(g.group, g.participants, g.ranked, user_of(g.best) if g.best >= 0 else None) for g in groups]
        yield f"groups of {board}", told, naive.groups(board)
    teams = teams_of(state)
    if teams is not None:
        yield "teams", [(team.team, team.score, team.participants, team.counted) for team in teams], naive.teams()


def _family(state: Tournament, naive: NaiveTournament) -> Iterator[Fact]:
    family = state.family
    if family is None:
        yield "family", [], naive.errands
        return
    errands = [(errand.kind, errand.place, errand.tier, errand.user_id) for errand in family.errands]
    yield "errands", (family.written, errands), (naive.written, naive.errands)
    opened = family.occurrences, family.missed, family.decided_ms
    yield "occurrences", opened, (naive.occurrences, naive.missed, naive.decided)
    yield "seats", family.seats, sum(person["seat"] is not None for person in naive.people.values())


def _person(state: Tournament, naive: NaiveTournament, user: int, person: dict[str, Any]) -> Iterator[Fact]:
    members, ranking = state.members, state.ranking
    slot = members.users.slot(user)
    yield "active", bool(members.active[slot]), person["active"]
    yield "removed", slot in members.removed, bool(person["removed"])
    yield "began", members.began_ms.get(slot), person["began"]
    yield "done", slot in members.done_ms, person["done"]
    yield "extra time", members.extra_ms.get(slot, 0), person["extra"]
    yield "disqualified", members.disqualified.get(slot, ""), person["out"]
    yield "name", members.names[slot], person["name"]
    yield "attempts", members.attempts[slot], person["attempts"]
    yield "joined at", members.joined_ms[slot], person["joined_ms"]
    yield "scored at", members.scored_ms[slot], person["scored_ms"]
    yield "score", ranking.score(slot), person["score"]
    if isinstance(ranking, SubscoreRanking):
        yield "subscore", ranking.subscore(slot), person["subscore"]
    groups = {board: group for board, groups in state.groups.items() if (group := groups.of(slot))}
    yield "groups", groups, person["groups"]
    if person["active"] and state.groups:
        yield "boards", (views.participant(state, user, None) or {}).get("boards"), naive.boards(user)
    yield "seat", members.seat.get(slot), person["seat"]
    yield "tier", members.tier.get(slot), person["tier"]
    yield "placed", members.placed_ms.get(slot), person["placed"]
