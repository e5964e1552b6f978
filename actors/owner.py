"""The owner of tournaments: applies deliveries in order, publishes, checkpoints, ticks. A plain class; effects only through ports.

It holds scopes: the shared tournaments of a partition, or one dedicated tournament. A scope begins with a claim record in the log, whose offset
is the epoch; a later claim by another instance ends it. One coroutine at a time may be in `deliver`; reads never wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from actors.checkpointer import Checkpointer
from actors.domain.delivery import (
    GONE,
    ControlItem,
    DeliveryAnswer,
    Item,
    Range,
    Rejected,
    ScopePosition,
    ScoreItem,
    decode_ranges,
    encode_answer,
    scope_name,
)
from actors.domain.errors import InvalidRecordError
from actors.domain.fold import APPLIED, Outcome, StatusChanged, apply, may_change
from actors.domain.messages import Claim, Tick, decode_value, encode_message
from actors.domain.publications import OutcomeReply
from actors.domain.signing import Signer
from actors.domain.tournament import Tournament
from actors.entity import Entity, Held, Scope
from actors.holdings import Holdings
from actors.publisher import Publisher
from actors.read_copies import ReadCopies
from storage.base import (
    LogUnavailableError,
    NewRecord,
    OwnerMovedError,
    Records,
    RecordsUnavailableError,
    ScoreLog,
    Updates,
)

logger = logging.getLogger(__name__)

TICK_SCAN_MS: Final = 1000  # all due times are looked at this often at least: a clock that is set back costs no more
TICK_REPEAT_MS: Final = 250  # a tick that did not move the fold on is appended again after this
RANKS_IN_BULK: Final = 8  # scores of one tournament in a range from which their ranks are looked up together


@dataclass(frozen=True, slots=True)
class OwnerConfig:
    """`publish_interval_ms` between updates of a tournament (50: 20 a second); checkpoints as in `actors.checkpointer`."""

    publish_interval_ms: int = 50
    checkpoint_interval_ms: int = 1000
    checkpoint_max_interval_ms: int = 30_000
    over_kept: int = 512


class Owner:
    """See the module. `instance` names this very incarnation of the owner called `name`."""

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        log: ScoreLog,
        records: Records,
        updates: Updates,
        signer: Signer,
        clock_ms: Callable[[], int],
        config: OwnerConfig,
        copies: ReadCopies | None = None,
    ) -> None:
        self.name = name
        self.instance = instance
        self.config = config
        self._log = log
        self._records = records
        self._signer = signer
        self._clock_ms = clock_ms
        self.holdings = Holdings(records, clock_ms, config.over_kept)
        self._ticked_ms: dict[int, int] = {}
        self._next_due_ms = 0  # no tournament is due before this
        self._delivering = asyncio.Lock()
        self.publisher = Publisher(updates, clock_ms, config.publish_interval_ms)
        self.checkpointer = Checkpointer(
            records,
            clock_ms,
            config.checkpoint_interval_ms,
            config.checkpoint_max_interval_ms,
            self._saved,
            self._unsaved,
        )
        self.copies = copies
        self.outcomes: Counter[tuple[str, str]] = Counter()  # (outcome, reason) since the start

    # -- scopes ---------------------------------------------------------------------------------------------------

    async def adopt(self, scopes: Sequence[tuple[int, int, int]]) -> None:
        """Take scopes over: (partition, tournament or 0, offset from which it is fed at the latest).

        Claims them in the log, then loads what is durable; a scope already held is left alone. Raises LogUnavailableError and
        RecordsUnavailableError, with none of the scopes taken.
        """
        wanted = [scope for scope in scopes if (scope[0], scope[1]) not in self.holdings.scopes]
        if not wanted:
            return
        epochs = await self._log.append([self._claim(partition, tournament) for partition, tournament, _ in wanted])
        projected = await self._records.projected([scope_name(p, t) for p, t, _ in wanted])
        loaded: list[tuple[Scope, list[Entity]]] = []
        for (partition, tournament, after), epoch in zip(wanted, epochs, strict=True):
            at = max(projected.get(scope_name(partition, tournament), -1), after)
            scope = Scope(partition, tournament, epoch, watermark=at, durable=at)
            ids = [tournament] if tournament else await self._records.active(partition, dedicated=False)
            entities = [entity for i in ids if (entity := await self.holdings.load(i, scope)) is not None]
            scope.closed = bool(tournament) and any(entity.state.over for entity in entities)
            scope.watermark = min([scope.watermark, *(e.state.offset for e in entities if e.rewound)])
            loaded.append((scope, entities))
        for scope, entities in loaded:
            self.holdings.scopes[scope.partition, scope.tournament] = scope
            for entity in entities:
                self.holdings.place(entity)

    async def release(self, partition: int, tournament: int) -> None:
        """Give a scope up after a last checkpoint of all; deliveries to it are answered `moved` from now on. One not held is fine."""
        if (partition, tournament) not in self.holdings.scopes:
            return
        await self.checkpointer.full_round(self.holdings.scopes.values())
        self._drop((partition, tournament))

    def scopes(self) -> list[Scope]:
        """The scopes held now."""
        return list(self.holdings.scopes.values())

    def _drop(self, key: tuple[int, int]) -> None:
        for tournament_id in self.holdings.drop(key):
            self.publisher.forget(tournament_id)
            self.checkpointer.forget(tournament_id)
            if self.copies is not None:
                self.copies.forget(tournament_id)

    def _claim(self, partition: int, tournament: int) -> NewRecord:
        name = scope_name(partition, tournament)
        command_id = f"{self.instance}:{name}"[:64]
        value = encode_message(Claim(command_id=command_id, scope=name, owner=self.name, instance=self.instance))
        key = (str(tournament) if tournament else name).encode()
        return NewRecord(partition, key, value, self._signer.sign(key, value))

    # -- deliveries -----------------------------------------------------------------------------------------------

    async def deliver(self, data: bytes) -> bytes:
        """Apply encoded ranges; returns the encoded DeliveryAnswer. Rule 3: a range counts only if it follows the watermark.

        Where a finished tournament that a record needs cannot be loaded, nothing of that range is applied: it is delivered again.
        """
        rejected: list[Rejected] = []
        async with self._delivering:
            positions = [await self._apply_range(delivered, rejected) for delivered in decode_ranges(data)]
        return encode_answer(DeliveryAnswer(positions, rejected))

    async def _apply_range(self, delivered: Range, rejected: list[Rejected]) -> ScopePosition:
        key = (delivered.partition, delivered.tournament)
        scope = self.holdings.scopes.get(key)
        if scope is None:
            return ScopePosition(*key, held=False)
        if delivered.after == GONE and delivered.upto == scope.watermark:
            await self.release(*key)  # who adopts it again loads what is durable, under a new epoch
            return ScopePosition(*key, held=False)
        if delivered.after == scope.watermark and delivered.upto > delivered.after:
            try:
                present = await self._find_all(delivered.items, scope)
            except RecordsUnavailableError as error:  # the other ranges may need nothing from there
                logger.warning("%s waits for the records: %s", scope_name(*key), error)
                return ScopePosition(*key, scope.watermark, scope.durable)
            if self.holdings.scopes.get(key) is not scope:
                return ScopePosition(*key, held=False)
            was_ready = scope.ready
            if not self._apply_items(delivered.items, scope, present, rejected):
                self._drop(key)
                return ScopePosition(*key, held=False)
            scope.watermark = delivered.upto
            if scope.ready and not was_ready:
                self._became_ready(scope)
        return ScopePosition(*key, scope.watermark, scope.durable, held=True, closed=scope.closed)

    def _became_ready(self, scope: Scope) -> None:
        logger.info("%s holds %s from epoch %d", self.name, scope_name(scope.partition, scope.tournament), scope.epoch)
        for entity in self.holdings.active.values():
            if entity.scope is scope:
                self.publisher.start_live(entity)
                self.publisher.watch(entity)  # those who watched it at its last owner have not asked here yet
                self.publisher.mark(entity)
        if self.copies is not None:
            for entity in self.holdings.of_scope(scope):
                self.copies.mark(entity)

    async def _find_all(self, items: Sequence[Item], scope: Scope) -> dict[int, Entity]:
        """The tournaments of these items that there are: held on to until they are applied, however few that are over may stay in memory."""
        present: dict[int, Entity] = {}
        for tournament_id in {item.tournament_id for item in items if item.tournament_id and not _is_claim(item)}:
            active = self.holdings.active.get(tournament_id)
            if active is not None and active.scope is not scope:
                # ingest sends what concerns a dedicated tournament to the shared scope only once it is over and durable, so another owner
                # claimed it and ended it; that claim may stand further on than this scope has read
                logger.warning("%s gives up tournament %d: it ended at another owner", self.name, tournament_id)
                self._drop((active.scope.partition, active.scope.tournament))
                active = None
            if active is not None:
                present[tournament_id] = active
                continue
            # an active one that is held elsewhere is a misrouted record: the fold then knows no such tournament
            with contextlib.suppress(OwnerMovedError):
                entity = await self.holdings.find(tournament_id, scope, items)
                if entity is not None:
                    present[tournament_id] = entity
        return present

    def _apply_items(
        self, items: Sequence[Item], scope: Scope, present: dict[int, Entity], rejected: list[Rejected]
    ) -> bool:
        """Apply the items of a range in order; False when a later claim of another instance ends the scope here."""
        ranks = _ranks_before(items, present)
        for item in items:
            if isinstance(item, ControlItem):
                message = decode_value(item.value)
                if isinstance(message, Claim):
                    if self._loses(message, item, scope):
                        return False
                    continue
            self._apply_item(item, scope, present, ranks, rejected)
        return True

    def _loses(self, claim: Claim, item: ControlItem, scope: Scope) -> bool:
        """Whether a claim ends this scope. One of a dedicated tournament ends that scope, should it still be held here."""
        key = (scope.partition, item.tournament_id)
        held = self.holdings.scopes.get(key)
        if held is None or claim.instance == self.instance or item.offset <= held.epoch:
            return False
        logger.warning("%s lost %s to %s", self.name, claim.scope, claim.owner)
        if held is not scope:
            self._drop(key)
        return held is scope

    def _apply_item(
        self,
        item: Item,
        scope: Scope,
        present: dict[int, Entity],
        ranks: dict[int, dict[int, int]],
        rejected: list[Rejected],
    ) -> None:
        tournament_id = item.tournament_id
        entity = self.holdings.at_hand(tournament_id) or present.get(tournament_id)
        state: Tournament | None = None if entity is None else entity.state
        slot, before = -1, None
        if state is not None and isinstance(item, ScoreItem):
            slot = state.members.slot(item.user_id)
            if slot >= 0 and (item.reply_to or may_change(state, slot, item.score)):
                known = ranks.get(tournament_id)
                before = state.ranking.rank(slot) if known is None else known.get(slot)
        try:
            state, events = apply(state, tournament_id, scope.partition, item)
        except InvalidRecordError as error:
            self.outcomes["rejected", error.reason] += 1
            rejected.append(Rejected(scope.partition, item.offset, error.reason, error.detail))
            return
        if entity is None:
            entity = Entity(state, scope)
            self.holdings.place(entity)
        for event in events:
            if isinstance(event, StatusChanged):
                self._status_changed(entity, event)
                continue
            self.outcomes[event.outcome, event.reason] += 1
            if event.outcome == APPLIED:
                self._note(entity, event, item, slot, before)
            if item.reply_to:
                self._answer(entity, event, item.reply_to, before)
        if state.offset == item.offset and not state.over:  # a tick that moved nothing moved the offset
            self.checkpointer.mark(entity)
            if not isinstance(item, ScoreItem) and state.due_ms is not None:
                self._next_due_ms = min(self._next_due_ms, state.due_ms)

    def _status_changed(self, entity: Entity, event: StatusChanged) -> None:
        logger.info("tournament %d: %s -> %s (%s)", entity.state.tournament_id, event.before, event.after, event.reason)
        self._ticked_ms.pop(entity.state.tournament_id, None)
        self.checkpointer.mark(entity, urgent=True)
        self.publisher.mark(entity)
        if self.copies is not None:
            self.copies.mark(entity)
        if entity.state.over:
            self.holdings.place(entity)

    def _note(self, entity: Entity, event: Outcome, item: Item, slot: int, before: int | None) -> None:
        """What an applied record means for publication and checkpoint."""
        if isinstance(item, ScoreItem):
            entity.note_changed(item.user_id)
            if before is not None:
                entity.previous_ranks[slot] = before
            score = entity.state.ranking.score(slot)
            # watchers of their own rank are told, whatever the top
            self.publisher.mark(entity, top=score is None or entity.touches_top(slot, score))
        else:
            if event.kind in ("join", "leave"):
                entity.note_changed(event.user_id)
                slot = entity.state.members.users.slot(event.user_id)
            self.publisher.mark(entity)
            if event.kind == "create" and event.first:
                self.checkpointer.mark(entity, urgent=True)
        if self.copies is not None:
            self.copies.mark(entity, slot)

    def _answer(self, entity: Entity, event: Outcome, reply_to: str, before: int | None) -> None:
        """Reply now, or, for a create and what ended the tournament, once that is durable."""
        if (event.kind == "create" or entity.state.over) and entity.durable_offset < entity.state.offset:
            entity.held.append(Held(reply_to, event))
            self.checkpointer.mark(entity, urgent=True)
        else:
            self.publisher.reply(reply_to, self._reply(entity, event, before))

    def _reply(self, entity: Entity, event: Outcome, before: int | None) -> OutcomeReply:
        state, score, rank = entity.state, None, None
        if event.user_id and (slot := state.members.slot(event.user_id)) >= 0:
            score, rank = state.ranking.score(slot), state.ranking.rank(slot)
        return OutcomeReply(
            state.partition, event.offset, event.kind, event.outcome, event.reason, event.detail, event.first,
            score, rank, before, entity.status, state.version,
        )  # fmt: skip

    # -- loops (the caller decides when) --------------------------------------------------------------------------

    async def publish_due(self) -> int | None:
        """See Publisher.publish_due."""
        return await self.publisher.publish_due()

    async def checkpoint_due(self) -> bool:
        """See Checkpointer.round_due."""
        return await self.checkpointer.round_due(self.holdings.scopes.values())

    async def copies_due(self) -> bool:
        """See ReadCopies.round_due; without read copies there is nothing to do."""
        return self.copies is not None and await self.copies.round_due()

    async def tick_due(self) -> int:
        """Append a tick for each tournament whose time has come by this clock, again until the fold passed it; returns how many."""
        now = self._clock_ms()
        if now < self._next_due_ms:
            return 0
        due: list[NewRecord] = []
        value = encode_message(Tick())
        self._next_due_ms = now + TICK_SCAN_MS
        for tournament_id, entity in self.holdings.active.items():
            at = entity.state.due_ms
            if at is None or not entity.scope.ready:
                continue
            if at > now:
                self._next_due_ms = min(self._next_due_ms, at)
                continue
            self._next_due_ms = min(self._next_due_ms, now + TICK_REPEAT_MS)
            if 0 <= now - self._ticked_ms.get(tournament_id, -TICK_REPEAT_MS) < TICK_REPEAT_MS:
                continue
            self._ticked_ms[tournament_id] = now
            due.append(NewRecord(entity.state.partition, str(tournament_id).encode(), value))
        if due:
            try:
                await self._log.append(due)
            except LogUnavailableError as error:
                logger.warning("ticks not appended, they will be tried again: %s", error)
        return len(due)

    async def _saved(self, entity: Entity, offset: int) -> None:
        """A tournament became durable at `offset`: release what waited for that."""
        state = entity.state
        if offset < state.offset:
            return
        held, entity.held = entity.held, []
        for waiting in held:
            self.publisher.reply(waiting.reply_to, self._reply(entity, waiting.outcome, None))
        if state.over:
            self.publisher.mark(entity)  # now it shows as finished
            if self.copies is not None:
                self.copies.mark(entity)
            if entity.scope.tournament:
                entity.scope.closed = True

    def _unsaved(self, entity: Entity) -> None:
        """The store did not take a tournament: whoever created it is answered all the same, since the log keeps the create, and nothing
        passes it before it is durable. What ended it waits on (rule 8)."""
        for waiting in entity.held:
            if waiting.outcome.kind == "create":
                self.publisher.reply(waiting.reply_to, self._reply(entity, waiting.outcome, None))
        entity.held = [waiting for waiting in entity.held if waiting.outcome.kind != "create"]

    async def close(self) -> None:
        """A last checkpoint and publication."""
        if not await self.checkpointer.full_round(self.holdings.scopes.values()):
            logger.warning("last checkpoint not written; the log has it all")
        await self.publisher.publish_due()
        if self.copies is not None:
            await self.copies.close()


def _is_claim(item: Item) -> bool:
    """Whether a record is an owner's, not a tournament's: the shared scope is given those of dedicated tournaments, too."""
    return isinstance(item, ControlItem) and isinstance(decode_value(item.value), Claim)


def _ranks_before(items: Sequence[Item], present: dict[int, Entity]) -> dict[int, dict[int, int]]:
    """The ranks at a range's begin, by tournament and slot, where many scores of one tournament come together: in bulk they cost a tenth."""
    if len(items) < RANKS_IN_BULK:
        return {}
    users: dict[int, list[int]] = {}
    for item in items:
        if isinstance(item, ScoreItem):
            users.setdefault(item.tournament_id, []).append(item.user_id)
    found: dict[int, dict[int, int]] = {}
    for tournament_id, scoring in users.items():
        if len(scoring) >= RANKS_IN_BULK and tournament_id in present:
            state = present[tournament_id].state
            slots = state.members.users.slots(scoring)
            slots = slots[slots >= 0]
            ranks = zip(slots.tolist(), state.ranking.ranks(slots).tolist(), strict=True)
            found[tournament_id] = {slot: rank for slot, rank in ranks if rank}
    return found
