"""The fold: `apply(state, record) -> events`. The only way in which a tournament changes; deterministic, without I/O or clock.

Before each record the status moves on to the record's time: a due start (or, with too few participants, a cancellation), then a
due end. So the end is exact in the log's own order and clock.

A tournament keeps the rules it was created under (`rules_version`); what later ones brought it refuses (`older_rules`), unchanged in every
way. Rules 3 brought the fields in `LATER_FIELDS` of
`actors.domain.messages.spec`, the commands whose `rules` are 3, and the history of who ordered what. Rules 1 let whoever had left a
private tournament come back without an invitation, did not judge the spec of a create, and took edits that break a rule of the whole
spec or cancel the tournament.
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from actors.domain.commands.checks import read_user, rules_problem
from actors.domain.commands.create import create_again, create_tournament
from actors.domain.commands.table import HANDLERS
from actors.domain.delivery import ControlItem, Item, ScoreItem
from actors.domain.errors import InvalidRecordError
from actors.domain.events import APPLIED, IGNORED, Event, Outcome, outcome_of, score_outcome
from actors.domain.life.history import facts, remember
from actors.domain.life.status import advance, settle
from actors.domain.messages import Claim, Command, Create
from actors.domain.scoring.scores import Scored, take_score
from actors.domain.tournament import Tournament, has_digest, with_digest

_NOTHING: Final[list[Event]] = []


def apply(state: Tournament | None, tournament_id: int, partition: int, item: Item) -> tuple[Tournament, list[Event]]:
    """Apply one record; returns the state (the same object, changed) and the events.

    A record at or below the state's offset was applied before and changes nothing. Raises InvalidRecordError (`unknown_tournament`,
    `malformed`) for what cannot be applied: a dead letter.
    """
    if isinstance(item, ScoreItem):
        if state is None:
            raise InvalidRecordError(
                "unknown_tournament", f"no tournament {tournament_id} was created before this score"
            )
        applied = apply_score(state, item, state.members.slot(item.user_id))
        if applied is None:
            return state, []
        scored, before, after = applied
        return state, [*before, score_outcome(item, scored.reason, scored.detail), *after]
    if state is not None and item.offset <= state.offset:
        return state, []
    message = item.message
    if isinstance(message, Claim) and state is not None:
        return state, []  # owners read claims; a tournament is the same whoever holds it
    if isinstance(message, Create):
        if state is None:
            return create_tournament(tournament_id, partition, item, message)
        return state, [*advance(state, item), create_again(state, item, message)]
    if state is None:
        raise InvalidRecordError("unknown_tournament", f"no tournament {tournament_id} was created before this record")
    if not isinstance(message, Command):
        return state, advance(state, item)  # a tick
    user = getattr(message, "user_id", None)
    user_id = 0 if user is None else read_user(user)  # before anything has changed
    if too_new := rules_problem(state.rules_version, *message.needed_rules):
        return state, [outcome_of(item.offset, message, "older_rules", too_new)]
    return state, [*advance(state, item), *_command(state, item, message, user_id)]


def apply_score(
    state: Tournament, item: ScoreItem, slot: int, known_rank: int | None = None
) -> tuple[Scored, list[Event], list[Event]] | None:
    """Apply one score: what became of it, and what happened before and after it; None when the record was applied before.

    `slot` is that of its user among those who take part (`Members.slot`), -1 for none. `known_rank`: the user's rank (0 for none) where
    the caller has looked up many together; else it is looked up if the score changes.
    """
    if item.offset <= state.offset:
        return None
    before = advance(state, item)
    scored = take_score(state, item, slot, known_rank)
    return scored, before, settle(state) if state.spec.ends_when is not UNSET and not scored.reason else _NOTHING


def _command(state: Tournament, item: ControlItem, command: Command, user_id: int) -> list[Event]:
    """A command id takes effect once: only an applied command consumes it."""
    digest = state.digest(b"c", 0, command.command_id)
    if digest in state.seen or (state.ended and has_digest(state.ended, digest)):
        return [Outcome(item.offset, command.kind, IGNORED, "duplicate", event_id=command.command_id)]
    by = command.by if state.rules_version >= 3 else UNSET
    before = {} if by is UNSET else facts(state, user_id)
    was_over, time_ms = state.over, state.time_ms
    if was_over:
        state.time_ms = max(time_ms, item.time_ms)
    events = HANDLERS[type(command)](state, item.offset, command, user_id)
    outcome = next(event for event in events if isinstance(event, Outcome))
    if outcome.first and by is not UNSET:
        remember(state, command, by, before, user_id)
    if was_over and outcome.first:
        state.offset = item.offset
        state.revision += 1
    elif was_over:
        state.time_ms = time_ms  # untouched
    if outcome.outcome == APPLIED and not state.over:
        state.seen[digest] = None
    elif outcome.outcome == APPLIED and state.rules_version >= 3 and (outcome.first or not was_over):
        state.ended = with_digest(state.ended, digest)
    return events + settle(state)
