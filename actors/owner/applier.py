"""Applies the items of a delivered range to the tournaments of its scope, and tells what changed."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from actors.domain.delivery import ControlItem, Item, Rejected, ScoreItem, is_claim
from actors.domain.errors import InvalidRecordError
from actors.domain.events import APPLIED, IGNORED, Event, Outcome, StatusChanged, score_outcome
from actors.domain.fold import apply, apply_score
from actors.domain.messages import Claim, Command, Create
from actors.domain.publications import OutcomeReply
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.scoring.scores import UNFIT
from actors.owner.change import Change
from actors.owner.entity import Entity, Held, Scope
from actors.owner.tournament_cache import TournamentCache
from storage.ports import OwnerMovedError

logger = logging.getLogger(__name__)

OWN_ROW: Final = ("join", "leave", "begin", "done")  # commands that change the row of their user alone, and scalars
HELD: Final = ("create", "reopen")  # answered once they are durable, as is everything after the end
RANKS_IN_BULK: Final = 8  # scores of one tournament in a range from which their ranks are looked up together


class Applier:
    """See the module. `instance` names the owner's incarnation; `changed` is told once a range of each tournament that changed, `reply` of what
    somebody waits for; `drop(scope's key)` gives a scope up with all it holds. `attempts`: whether those that count are noted for analytics."""

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        tournaments: TournamentCache,
        changed: Callable[[Change], None],
        reply: Callable[[str, OutcomeReply], None],
        drop: Callable[[tuple[int, int]], None],
        attempts: bool = True,
    ) -> None:
        self._name = name
        self._instance = instance
        self._tournaments = tournaments
        self._changed = changed
        self._reply = reply
        self._drop = drop
        self._notes_attempts = attempts
        self.attempts_lost = 0  # that analytics are not told of, since too many waited
        self.outcomes: Counter[tuple[str, str]] = Counter()  # (outcome, reason) since the start

    async def find_all(self, items: Sequence[Item], scope: Scope) -> dict[int, Entity]:
        """The tournaments of these items that there are: held on to until they are applied, however few that are over may stay in memory.

        Raises RecordsUnavailableError.
        """
        present: dict[int, Entity] = {}
        first: dict[int, Item] = {}
        for item in items:
            # the shared scope is given the claims of dedicated tournaments, too
            if item.tournament_id and item.tournament_id not in first and not is_claim(item):
                first[item.tournament_id] = item
        for tournament_id, item in first.items():
            active = self._tournaments.active.get(tournament_id)
            if active is not None and active.scope is not scope:
                # ingest sends what concerns a dedicated tournament to the shared scope only once it is over and durable, so another owner
                # claimed it and ended it; that claim may stand further on than this scope has read
                logger.warning("%s gives up tournament %d: it ended at another owner", self._name, tournament_id)
                self._drop((active.scope.partition, active.scope.tournament))
                active = None
            if active is not None:
                present[tournament_id] = active
                continue
            # an active one that is held elsewhere is a misrouted record: the fold then knows no such tournament
            with contextlib.suppress(OwnerMovedError):
                message = item.message if isinstance(item, ControlItem) else None
                created = isinstance(message, Create) and not message.dedicated
                late = any(_is_late(each) for each in items if each.tournament_id == tournament_id)
                entity = await self._tournaments.find(tournament_id, scope, created=created, late=late)
                if entity is not None:
                    present[tournament_id] = entity
        return present

    def apply_all(
        self, items: Sequence[Item], scope: Scope, present: dict[int, Entity], rejected: list[Rejected]
    ) -> bool:
        """Apply the items of a range in order; False when a later claim of another instance ends the scope here."""
        ranks = _ranks_before(items, present)
        changes: dict[int, Change] = {}
        active, at_hand = self._tournaments.active, self._tournaments.at_hand
        try:
            for item in items:
                tournament_id = item.tournament_id
                entity = active.get(tournament_id) or at_hand(tournament_id) or present.get(tournament_id)
                if isinstance(item, ScoreItem) and entity is not None:
                    self._apply_score(item, entity, ranks.get(tournament_id), changes, rejected)
                elif isinstance(item, ControlItem) and isinstance(item.message, Claim):
                    if self._loses(item.message, item, scope):
                        return False
                else:
                    self._apply_control(item, entity, scope, changes, rejected)
        finally:  # also when a later item shows an error of our own: what is applied is not applied again
            for tournament_id, change in changes.items():
                entity = change.entity
                key = (scope.partition, entity.scope.tournament)
                if at_hand(tournament_id) is None and self._tournaments.scopes.get(key) is entity.scope:
                    self._tournaments.place(entity)  # it had made room for others, and is not durable now
                if at_hand(tournament_id) is entity:
                    self._changed(change)
        return True

    def _loses(self, claim: Claim, item: Item, scope: Scope) -> bool:
        """Whether a claim ends this scope. One of a dedicated tournament ends that scope, should it still be held here."""
        key = (scope.partition, item.tournament_id)
        held = self._tournaments.scopes.get(key)
        if held is None or claim.instance == self._instance or item.offset <= held.epoch:
            return False
        logger.warning("%s lost %s to %s", self._name, claim.scope, claim.owner)
        if held is not scope:
            self._drop(key)
        return held is scope

    def _apply_score(
        self,
        item: ScoreItem,
        entity: Entity,
        ranks: dict[int, tuple[int, int]] | None,
        changes: dict[int, Change],
        rejected: list[Rejected],
    ) -> None:
        state = entity.state
        if ranks is not None and (known := ranks.get(item.user_id)) is not None and state.members.active[known[0]]:
            slot, known_rank = known
        else:
            slot, known_rank = state.members.slot(item.user_id), None
        applied = apply_score(state, item, slot, known_rank)
        if applied is None:
            return
        (reason, changed, rank_before, detail, score), before_it, after_it = applied
        urgent = False
        if after_it and state.over:  # before anybody is answered: that waits until the end is durable
            entity.over_offset = state.offset
        if item.reply_to:
            before = rank_before if changed or slot < 0 else state.ranking.rank(slot)
            urgent = self._answer(entity, score_outcome(item, reason, detail), item.reply_to, before)
        if reason:
            self.outcomes[IGNORED, reason] += 1
            if reason in UNFIT:
                rejected.append(Rejected(state.partition, item.offset, reason, detail))
        else:
            self.outcomes[APPLIED, ""] += 1
            if rank_before is not None:
                entity.previous_ranks[slot] = rank_before
            if self._notes_attempts and score is not None:
                self.attempts_lost += not entity.attempts.add(item.offset, state.time_ms, item.user_id, score)
        if state.offset != item.offset and not urgent:
            return  # it is over, and left as it is
        change = changes.get(item.tournament_id)
        if change is None:
            change = changes[item.tournament_id] = Change(entity, {})
        if urgent:
            change.urgent = True
        if not reason:
            change.slots[slot] = item.user_id
        if before_it or after_it:
            for event in (*before_it, *after_it):
                self._moved(event, change)

    def _apply_control(
        self, item: Item, entity: Entity | None, scope: Scope, changes: dict[int, Change], rejected: list[Rejected]
    ) -> None:
        """Any record but a score that finds its tournament."""
        if entity is not None and entity.state.over and scope.tournament and _is_late(item):
            return  # it may be closed already: the owner of the partition's shared scope is given it from then on
        was_over = entity is not None and entity.state.over
        try:
            state, events = apply(None if entity is None else entity.state, item.tournament_id, scope.partition, item)
        except InvalidRecordError as error:
            self.outcomes["rejected", error.reason] += 1
            rejected.append(Rejected(scope.partition, item.offset, error.reason, error.detail))
            return
        if entity is None:
            entity = Entity(state, scope)
            self._tournaments.place(entity)
        own = Change(entity)
        for event in events:
            if not isinstance(event, Outcome):
                self._moved(event, own)
                continue
            self.outcomes[event.outcome, event.reason] += 1
            entity.note(event)
            if event.outcome == APPLIED:
                own.top = True
                own.urgent |= event.first and (event.kind in HELD or was_over)
                own.whole |= event.kind not in OWN_ROW or state.family is not None
                if event.user_id and (slot := state.members.users.slot(event.user_id)) >= 0:
                    own.slots[slot] = event.user_id
            if item.reply_to:
                own.urgent |= self._answer(entity, event, item.reply_to, None)
        if state.offset == item.offset or own.urgent:  # also a tick that moved nothing moved the offset
            change = changes.setdefault(item.tournament_id, own)
            if change is not own:
                change.add(own)

    def _moved(self, event: Event, change: Change) -> None:
        """The status changed, or the table was frozen."""
        change.top = change.whole = True
        if not isinstance(event, StatusChanged):
            return
        state, entity = change.entity.state, change.entity
        logger.info("tournament %d: %s -> %s (%s)", state.tournament_id, event.before, event.after, event.reason)
        entity.note(event)
        change.urgent = True
        if state.over:
            entity.over_offset = state.offset
        if event.before == "finished":  # the ranks that were stored with its end are gone
            slots = range(len(state.members))
            change.slots.update(zip(slots, state.members.users.user_ids(np.arange(len(slots))).tolist(), strict=True))
        if state.over or event.before in ("finished", "cancelled"):
            self._tournaments.place(entity)

    def _answer(self, entity: Entity, event: Outcome, reply_to: str, before: int | None) -> bool:
        """Reply now, or, for a create and what ended or reopened the tournament, once that is durable: then it is urgent (True)."""
        if (event.kind in HELD or entity.state.over) and entity.durable_offset < entity.state.offset:
            entity.held.append(Held(reply_to, event))
            return True
        self._reply(reply_to, outcome_reply(entity, event, before))
        return False


def outcome_reply(entity: Entity, event: Outcome, before: int | None = None) -> OutcomeReply:
    """What a waiting entrypoint is told of an outcome; `before`: the rank before it."""
    state, score, rank, subscore = entity.state, None, None, None
    if event.user_id and (slot := state.members.slot(event.user_id)) >= 0:
        score, rank = state.ranking.score(slot), state.ranking.rank(slot)
        if isinstance(state.ranking, SubscoreRanking):
            subscore = state.ranking.subscore(slot)
        if entity.frozen:  # whoever asks: a reply passes through the broker, and its reader is not known here
            rank = before = None
    return OutcomeReply(
        state.partition, event.offset, event.kind, event.outcome, event.reason, event.detail, event.first,
        score, rank, before, entity.status, state.version, subscore,
    )  # fmt: skip


def _is_late(item: Item) -> bool:
    """Whether a record may change a tournament that is over."""
    return isinstance(item, ControlItem) and isinstance(item.message, Command) and item.message.after_end


def _ranks_before(items: Sequence[Item], present: dict[int, Entity]) -> dict[int, dict[int, tuple[int, int]]]:
    """(slot, rank or 0) of those who score, by tournament and user, as of the range's begin, where many scores of one tournament come
    together: in bulk a rank costs a tenth.
    """
    if len(items) < RANKS_IN_BULK:
        return {}
    users: dict[int, list[int]] = {}
    for item in items:
        if isinstance(item, ScoreItem):
            users.setdefault(item.tournament_id, []).append(item.user_id)
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for tournament_id, scoring in users.items():
        if len(scoring) >= RANKS_IN_BULK and tournament_id in present:
            state = present[tournament_id].state
            slots = state.members.users.slots(scoring)
            rows = zip(scoring, slots.tolist(), state.ranking.ranks(slots).tolist(), strict=True)
            found[tournament_id] = {user: (slot, rank) for user, slot, rank in rows if slot >= 0}
    return found
