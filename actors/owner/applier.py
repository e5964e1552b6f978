"""Applies the items of a delivered range to the tournaments of its scope, and tells publication, checkpoint and copies what changed."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from actors.domain.delivery import ControlItem, Item, Rejected, ScoreItem, is_claim
from actors.domain.errors import InvalidRecordError
from actors.domain.fold import APPLIED, IGNORED, Event, Outcome, StatusChanged, apply, apply_score, score_outcome
from actors.domain.messages import Claim, Create
from actors.domain.publications import OutcomeReply
from actors.owner.checkpointer import Checkpointer
from actors.owner.entity import Entity, Held, Scope
from actors.owner.publisher import Publisher
from actors.owner.read_copies import ReadCopies
from actors.owner.ticker import Ticker
from actors.owner.tournament_cache import Holdings
from storage.ports import OwnerMovedError

logger = logging.getLogger(__name__)

RANKS_IN_BULK: Final = 8  # scores of one tournament in a range from which their ranks are looked up together


class Applier:
    """See the module. `instance` names the owner's incarnation; `drop(scope's key)` gives a scope up with all it holds."""

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        holdings: Holdings,
        publisher: Publisher,
        checkpointer: Checkpointer,
        copies: ReadCopies | None,
        ticker: Ticker,
        drop: Callable[[tuple[int, int]], None],
    ) -> None:
        self._name = name
        self._instance = instance
        self._holdings = holdings
        self._publisher = publisher
        self._checkpointer = checkpointer
        self._copies = copies
        self._ticker = ticker
        self._drop = drop
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
            active = self._holdings.active.get(tournament_id)
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
                entity = await self._holdings.find(tournament_id, scope, created=created)
                if entity is not None:
                    present[tournament_id] = entity
        return present

    def apply_all(
        self, items: Sequence[Item], scope: Scope, present: dict[int, Entity], rejected: list[Rejected]
    ) -> bool:
        """Apply the items of a range in order; False when a later claim of another instance ends the scope here."""
        ranks = _ranks_before(items, present)
        scored: dict[int, tuple[Entity, dict[int, int]]] = {}  # tournament -> (entity, {slot: user})
        at_hand = self._holdings.at_hand
        try:
            for item in items:
                tournament_id = item.tournament_id
                if isinstance(item, ControlItem) and isinstance(item.message, Claim):
                    if self._loses(item.message, item, scope):
                        return False
                    continue
                entity = at_hand(tournament_id) or present.get(tournament_id)
                if entity is None or not isinstance(item, ScoreItem):
                    self._apply_control(item, entity, scope, rejected)
                    continue
                slot = self._apply_score(item, entity, ranks.get(tournament_id))
                if slot >= 0:
                    if tournament_id not in scored:
                        scored[tournament_id] = entity, {}
                    scored[tournament_id][1][slot] = item.user_id
        finally:  # also when a later item shows an error of our own: what is applied is not applied again
            for entity, users in scored.values():
                if at_hand(entity.state.tournament_id) is entity:
                    self._note_scores(entity, users)
        return True

    def _loses(self, claim: Claim, item: Item, scope: Scope) -> bool:
        """Whether a claim ends this scope. One of a dedicated tournament ends that scope, should it still be held here."""
        key = (scope.partition, item.tournament_id)
        held = self._holdings.scopes.get(key)
        if held is None or claim.instance == self._instance or item.offset <= held.epoch:
            return False
        logger.warning("%s lost %s to %s", self._name, claim.scope, claim.owner)
        if held is not scope:
            self._drop(key)
        return held is scope

    def _apply_score(self, item: ScoreItem, entity: Entity, ranks: dict[int, tuple[int, int]] | None) -> int:
        """The member's slot if the score was applied, else -1."""
        state = entity.state
        slot, known_rank = -1, None
        if ranks is not None and (known := ranks.get(item.user_id)) is not None and state.members.active[known[0]]:
            slot, known_rank = known
        else:
            slot = state.members.slot(item.user_id)
        applied = apply_score(state, item, slot, known_rank)
        if applied is None:
            return -1
        (reason, changed, rank_before), events = applied
        for event in events:
            self._status_changed(entity, event)
        if reason:
            self.outcomes[IGNORED, reason] += 1
            if not state.over:
                self._checkpointer.mark(entity)
        else:
            self.outcomes[APPLIED, ""] += 1
            if rank_before is not None:
                entity.previous_ranks[slot] = rank_before
        if item.reply_to:
            before = rank_before if changed or slot < 0 else state.ranking.rank(slot)
            self._answer(entity, score_outcome(item, reason), item.reply_to, before)
        return -1 if reason else slot

    def _note_scores(self, entity: Entity, users: dict[int, int]) -> None:
        """What applied scores, by slot, mean for publication and checkpoint."""
        entity.note_changed(users.values())
        # watchers of their own rank are told, whatever the top
        self._publisher.mark(entity, top=entity.top_dirty or entity.touches_top(users))
        if not entity.state.over:
            self._checkpointer.mark(entity)
        if self._copies is not None:
            self._copies.mark(entity, users)

    def _apply_control(
        self,
        item: Item,
        entity: Entity | None,
        scope: Scope,
        rejected: list[Rejected],
    ) -> None:
        """Any record but a score that finds its tournament."""
        events: list[Event]
        try:
            state, events = apply(None if entity is None else entity.state, item.tournament_id, scope.partition, item)
        except InvalidRecordError as error:
            self.outcomes["rejected", error.reason] += 1
            rejected.append(Rejected(scope.partition, item.offset, error.reason, error.detail))
            return
        if entity is None:
            entity = Entity(state, scope)
            self._holdings.place(entity)
        for event in events:
            if isinstance(event, StatusChanged):
                self._status_changed(entity, event)
                continue
            self.outcomes[event.outcome, event.reason] += 1
            if event.outcome == APPLIED:
                self._note_command(entity, event)
            if item.reply_to:
                self._answer(entity, event, item.reply_to, None)
        if state.offset == item.offset and not state.over:  # a tick that moved nothing moved the offset
            self._checkpointer.mark(entity)
            self._ticker.note(state)

    def _status_changed(self, entity: Entity, event: Event) -> None:
        assert isinstance(event, StatusChanged), "time moves nothing but the status"
        state = entity.state
        logger.info("tournament %d: %s -> %s (%s)", state.tournament_id, event.before, event.after, event.reason)
        self._ticker.passed(state.tournament_id)
        self._ticker.note(state)
        self._checkpointer.mark(entity, urgent=True)
        self._publisher.mark(entity)
        if self._copies is not None:
            self._copies.mark(entity)
        if state.over:
            self._holdings.place(entity)

    def _note_command(self, entity: Entity, event: Outcome) -> None:
        """What an applied command means for publication and checkpoint."""
        slots = []
        if event.kind in ("join", "leave"):
            entity.note_changed([event.user_id])
            slots = [slot for slot in [entity.state.members.users.slot(event.user_id)] if slot >= 0]
        self._publisher.mark(entity)
        if event.kind == "create" and event.first:
            self._checkpointer.mark(entity, urgent=True)
        if self._copies is not None:
            self._copies.mark(entity, slots)

    def _answer(self, entity: Entity, event: Outcome, reply_to: str, before: int | None) -> None:
        """Reply now, or, for a create and what ended the tournament, once that is durable."""
        if (event.kind == "create" or entity.state.over) and entity.durable_offset < entity.state.offset:
            entity.held.append(Held(reply_to, event))
            self._checkpointer.mark(entity, urgent=True)
        else:
            self._publisher.reply(reply_to, outcome_reply(entity, event, before))


def outcome_reply(entity: Entity, event: Outcome, before: int | None = None) -> OutcomeReply:
    """What a waiting entrypoint is told of an outcome; `before`: the rank before it."""
    state, score, rank = entity.state, None, None
    if event.user_id and (slot := state.members.slot(event.user_id)) >= 0:
        score, rank = state.ranking.score(slot), state.ranking.rank(slot)
    return OutcomeReply(
        state.partition, event.offset, event.kind, event.outcome, event.reason, event.detail, event.first,
        score, rank, before, entity.status, state.version,
    )  # fmt: skip


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
