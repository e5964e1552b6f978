"""What is stored of a tournament for those who query: its row, its participants' rows, the effects of its end. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from msgspec import UNSET

from actors.domain.analytics.attempts import FIRST_N, KIND
from actors.domain.messages import Spec
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.tournament import Tournament
from actors.owner.checkpoint.effects import prizes_effect
from actors.owner.entity import Entity
from storage.ports import OutboxRow, ParticipantRow, TournamentRow


def participant_rows(entity: Entity, changed: Iterable[int]) -> list[ParticipantRow]:
    """The rows of changed slots; all of them, with ranks, once the tournament has finished: then the table is complete and exact."""
    state = entity.state
    members, ranking = state.members, state.ranking
    subscored = ranking if isinstance(ranking, SubscoreRanking) else None
    finished = state.status == "finished"
    slots = range(len(members)) if finished else sorted(changed)
    ranks = ranking.ranks(np.arange(len(members), dtype=np.int32)).tolist() if finished else []
    return [
        ParticipantRow(
            tournament_id=state.tournament_id,
            user_id=members.users.user_id(slot),
            name=members.names[slot],
            active=bool(members.active[slot]),
            score=(score := ranking.score(slot)),
            attempts=members.attempts[slot],
            scored_ms=None if score is None else members.scored_ms[slot],
            joined_ms=members.joined_ms[slot],
            rank=(ranks[slot] or None) if finished else None,
            subscore=None if subscored is None or score is None else subscored.subscore(slot),
        )
        for slot in slots
    ]


def outbox_rows(entity: Entity) -> list[OutboxRow]:
    """The effects of a tournament that is over: that of its end until it is durable, and of a finished one that of each later change, which
    the archive follows; where it has prizes one more for their ledger; and what participants are to be told."""
    state = entity.state
    if not state.over:
        return list(entity.effects)
    payload = msgspec.json.encode({"status": state.status, "participants": state.members.joined})
    effects = []
    if entity.durable_offset < entity.over_offset:
        effects.append(OutboxRow(state.tournament_id, entity.over_offset, 0, state.status, payload))
    elif state.status == "finished" and state.offset > entity.durable_offset:
        effects.append(OutboxRow(state.tournament_id, state.offset, 0, state.status, payload))
    if state.status == "finished" and state.spec.prizes is not UNSET:
        effects.append(prizes_effect(state.tournament_id, state.offset))
    return effects + entity.effects


def attempt_rows(entity: Entity) -> list[OutboxRow]:
    """What analytics are told with a snapshot: the attempts since the last one, and if there were none, that something changed."""
    state = entity.state
    blocks = enumerate(entity.attempts.blocks(), FIRST_N)
    return [OutboxRow(state.tournament_id, state.offset, n, KIND, block) for n, block in blocks]


def _listed_type(spec: Spec) -> str:
    """What lists find it by: boards and series are listed by who opened them, and by their own type."""
    if spec.recurrence is not UNSET:
        return "series"
    return spec.type if spec.cohort is UNSET else "cohort"


def tournament_row(state: Tournament, epoch: int) -> TournamentRow:
    """The listed row of a tournament."""
    spec: Spec = state.spec
    return TournamentRow(
        tournament_id=state.tournament_id,
        partition=state.partition,
        offset=state.offset,
        epoch=epoch,
        name=spec.name,
        type=_listed_type(spec),
        visibility=spec.visibility,
        status=state.status,
        dedicated=state.dedicated,
        creator=state.creator,
        created_ms=state.created_ms,
        starts_ms=spec.starts_ms,
        ends_ms=spec.ends_ms,
        finished_ms=state.finished_ms,
        capacity=spec.capacity,
        participants=state.members.joined,
        version=state.version,
        revision=state.revision,
        spec=msgspec.json.encode(spec),
    )
