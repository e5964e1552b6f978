"""What a world's records mean: the pure fold of the log, and beside it the naive model, each made from nothing but the records."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.domain.delivery import ControlItem, ScoreItem
from actors.domain.errors import InvalidRecordError
from actors.domain.events import Outcome, StatusChanged
from actors.domain.fold import apply
from actors.domain.messages import Claim, Create
from actors.domain.notices.events import NOTICE_KIND
from actors.domain.scoring.scores import UNFIT
from actors.domain.signing import Signer
from actors.domain.tournament import Tournament
from actors.ingest.parse import Misplaced, Parser
from actors.owner.checkpoint.effects import effects_of
from storage.ports import DeadLetter, LogRecord, OutboxRow
from tests.support.naive_tournament import NaiveTournament
from tests.support.submissions import sent_in

At = tuple[int, int]  # partition, offset


@dataclass
class Truth:
    """`unreadable`: records that no reader can take; `rejected`: those that the fold cannot apply, or that do not fit; `misplaced`:
    scores in the wrong partition, of which `moved` have a copy in theirs."""

    states: dict[int, Tournament] = field(default_factory=dict)
    naive: dict[int, NaiveTournament] = field(default_factory=dict)
    ends: dict[int, list[tuple[int, str]]] = field(default_factory=dict)  # (offset, status) of a tournament's ends
    changes: dict[int, list[tuple[int, str]]] = field(
        default_factory=dict
    )  # the same, of what changed it once it had finished
    outcomes: dict[At, Outcome] = field(default_factory=dict)
    unreadable: set[At] = field(default_factory=set)
    rejected: set[At] = field(default_factory=set)
    misplaced: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    effects: dict[int, list[OutboxRow]] = field(default_factory=dict)  # what participants are to be told
    claims: dict[tuple[int, str], list[tuple[int, str]]] = field(default_factory=dict)  # scope -> (offset, instance)


def truth_of(history: list[list[LogRecord]], signer: Signer) -> Truth:
    truth = Truth()
    parser = Parser(signer, len(history))
    for record in (record for partition in history for record in partition):
        at = (record.partition, record.offset)
        parsed = parser.parse(record)
        if record.moved_from:
            truth.moved.add(record.moved_from)
        if isinstance(parsed, Misplaced):
            truth.misplaced.add(f"{record.partition}/{record.offset}")
            continue
        if isinstance(parsed, DeadLetter):
            truth.unreadable.add(at)
            continue
        item, tournament = parsed.item, parsed.item.tournament_id
        if isinstance(item, ControlItem) and isinstance(item.message, Claim):
            claim = (record.offset, item.message.instance)
            truth.claims.setdefault((record.partition, item.message.scope), []).append(claim)
            continue
        known = truth.states.get(tournament)
        had_finished = known is not None and known.status == "finished"
        try:
            state, events = apply(known, tournament, record.partition, item)
        except InvalidRecordError:
            truth.rejected.add(at)
            continue
        truth.states[tournament] = state
        effects = truth.effects.setdefault(tournament, [])
        for event in events:
            effects += [row for row in effects_of(state, event, effects) if row.kind == NOTICE_KIND]
        truth.ends.setdefault(tournament, []).extend(
            (event.offset, event.after)
            for event in events
            if isinstance(event, StatusChanged) and event.after in ("finished", "cancelled")
        )
        if had_finished and state.status == "finished" and state.offset == record.offset:
            truth.changes.setdefault(tournament, []).append((record.offset, "finished"))
        truth.outcomes.update((at, event) for event in events if isinstance(event, Outcome))
        if at in truth.outcomes and truth.outcomes[at].reason in UNFIT:
            truth.rejected.add(at)
        _tell_naive(truth, item)
    return truth


def _tell_naive(truth: Truth, item: ScoreItem | ControlItem) -> None:
    naive = truth.naive.get(item.tournament_id)
    if isinstance(item, ScoreItem):
        truth.naive[item.tournament_id].score(item.time_ms, sent_in(item))
        return
    message = item.message
    if naive is None:
        assert isinstance(message, Create)
        truth.naive[item.tournament_id] = NaiveTournament(message, item.time_ms)
    else:
        naive.apply(item.time_ms, message)
