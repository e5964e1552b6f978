"""The owner of tournaments: applies deliveries in order, publishes, checkpoints, ticks. A plain class; effects only through ports.

It holds scopes: the shared tournaments of a partition, or one dedicated tournament. A scope begins with a claim record in the log, whose offset
is the epoch; a later claim by another instance ends it. One coroutine at a time may be in `deliver`; reads never wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actors.domain.delivery import (
    GONE,
    DeliveryAnswer,
    Range,
    Rejected,
    ScopePosition,
    decode_ranges,
    encode_answer,
    scope_name,
)
from actors.domain.messages import Claim, encode_message
from actors.domain.signing import Signer
from actors.owner.applier import Applier, outcome_reply
from actors.owner.audience import Audience
from actors.owner.change import Change
from actors.owner.checkpoint.checkpointer import Checkpointer
from actors.owner.checkpoint.snapshot_chain import USUAL, DeltaBounds
from actors.owner.entity import Entity, Scope
from actors.owner.families import Families
from actors.owner.name_index import NameIndex
from actors.owner.publisher import Publisher
from actors.owner.read_model.writer import ReadModelWriter
from actors.owner.ticker import Ticker
from actors.owner.tournament_cache import TournamentCache
from storage.ports import (
    LogTruncatedError,
    NewRecord,
    Records,
    RecordsUnavailableError,
    ScoreLog,
    Updates,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnerConfig:
    """`publish_interval_ms` between updates of a tournament (50: 20 a second); `look_interval_ms` between two looks at who listens; checkpoints
    as in `actors.owner.checkpoint.checkpointer`. `attempts`: whether analytics are told of each that counts."""

    publish_interval_ms: int = 50
    look_interval_ms: int = 5000
    checkpoint_interval_ms: int = 1000
    checkpoint_max_interval_ms: int = 30_000
    over_kept: int = 512
    deltas: DeltaBounds = USUAL
    attempts: bool = True
    dedicated_capacity: int = 10_000  # from which on a child has an owner alone, as the director's plan has it


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
        read_model: ReadModelWriter | None = None,
    ) -> None:
        self.name = name
        self.instance = instance
        self.config = config
        self._log = log
        self._records = records
        self._signer = signer
        self._clock_ms = clock_ms
        self.tournaments = TournamentCache(records, clock_ms, config.over_kept)
        self._adopting = asyncio.Lock()
        self._delivering = asyncio.Lock()
        self._ahead: set[tuple[int, int]] = set()  # scopes whose tournaments are ahead of the log
        self.publisher = Publisher(updates, clock_ms, config.publish_interval_ms)
        self.audience = Audience(
            updates, self.tournaments.at_hand, self.publisher.watch, clock_ms, config.look_interval_ms
        )
        self.checkpointer = Checkpointer(
            records,
            clock_ms,
            config.checkpoint_interval_ms,
            config.checkpoint_max_interval_ms,
            self._saved,
            self._unsaved,
            config.deltas,
            attempts=config.attempts,
        )
        self.read_model = read_model
        self.names = NameIndex()
        self._ticker = Ticker(log, self.tournaments.active, clock_ms)
        self.families = Families(log, records, signer, self.tournaments.active, clock_ms, config.dedicated_capacity)
        self._applier = Applier(
            name=name,
            instance=instance,
            tournaments=self.tournaments,
            changed=self._changed,
            reply=self.publisher.reply,
            drop=self._drop,
            attempts=config.attempts,
        )

    @property
    def outcomes(self) -> Counter[tuple[str, str]]:
        """How many records came to which (outcome, reason), since the start."""
        return self._applier.outcomes

    @property
    def attempts_lost(self) -> int:
        """How many attempts analytics were not told of, since the start."""
        return self._applier.attempts_lost

    # -- scopes ---------------------------------------------------------------------------------------------------

    async def adopt(self, scopes: Sequence[tuple[int, int, int]]) -> None:
        """Take scopes over: (partition, tournament or 0, offset from which it is fed at the latest).

        Claims them in the log, then loads what is durable; a scope already held is left alone. Raises LogUnavailableError, with none of the
        scopes taken; with all others taken RecordsUnavailableError, for those whose records do not answer, and LogTruncatedError, for
        those whose tournaments are ahead of the log.
        """
        async with self._adopting:
            wanted = [s for s in scopes if s[:2] not in self.tournaments.scopes and s[:2] not in self._ahead]
            away = await self._adopt(wanted) if wanted else None
        if refused := self._ahead & {scope[:2] for scope in scopes}:
            raise LogTruncatedError(
                f"{self.name} does not take {sorted(refused)}: the log lost what their tournaments have applied"
            )
        if away is not None:
            raise away

    async def _adopt(self, wanted: Sequence[tuple[int, int, int]]) -> RecordsUnavailableError | None:
        """Take scopes; what kept it from taking all of them, if anything did."""
        away: RecordsUnavailableError | None = None
        answered: list[tuple[int, int, int]] = []
        for scope in wanted:
            try:  # before it is claimed: to try again would only add claims
                await self._projected(*scope[:2])
                answered.append(scope)
            except RecordsUnavailableError as error:
                away = error
        if not answered:
            return away
        epochs = await self._log.append([self._claim(partition, tournament) for partition, tournament, _ in answered])
        for (partition, tournament, after), epoch in zip(answered, epochs, strict=True):
            try:
                await self._take(partition, tournament, after, epoch)
            except RecordsUnavailableError as error:
                away = error
        return away

    async def _projected(self, partition: int, tournament: int) -> int:
        name = scope_name(partition, tournament)
        return (await self._records.projected(partition, [name]))[name]

    async def _take(self, partition: int, tournament: int, after: int, epoch: int) -> None:
        """Load a scope that was claimed. Raises RecordsUnavailableError."""
        at = max(await self._projected(partition, tournament), after)
        scope = Scope(partition, tournament, epoch, watermark=at, durable=at)
        ids = [tournament] if tournament else await self._records.active(partition, dedicated=False)
        entities = await self.tournaments.load_all(ids, scope)
        furthest = max((entity.state.offset for entity in entities), default=-1)
        # beyond our claim there may be what a later owner has applied; beyond the log's end there is nothing
        if furthest >= epoch and furthest > (end := (await self._log.bounds())[partition].last):
            # rule 10: what comes under these offsets would be taken for what was applied; to try again would only add claims
            logger.critical(
                "%s is stopped: the log ends at %d, a tournament is at %d",
                scope_name(partition, tournament), end, furthest,
            )  # fmt: skip
            self._ahead.add((partition, tournament))
            return
        scope.closed = bool(tournament) and any(entity.state.over for entity in entities)
        scope.watermark = min([scope.watermark, *(e.state.offset for e in entities if e.rewound)])
        self.tournaments.scopes[partition, tournament] = scope
        for entity in entities:
            self.tournaments.place(entity)

    async def release(self, partition: int, tournament: int) -> None:
        """Give a scope up after a last checkpoint of all; deliveries to it are answered `moved` from now on. One not held is fine."""
        if (partition, tournament) not in self.tournaments.scopes:
            return
        await self.checkpointer.full_round(self.tournaments.scopes.values())
        self._drop((partition, tournament))

    def scopes(self) -> list[Scope]:
        """The scopes held now."""
        return list(self.tournaments.scopes.values())

    def _drop(self, key: tuple[int, int]) -> None:
        for tournament_id in self.tournaments.drop(key):
            self.publisher.forget(tournament_id)
            self._ticker.forget(tournament_id)
            self.families.forget(tournament_id)
            self.checkpointer.forget(tournament_id)
            self.names.forget(tournament_id)
            if self.read_model is not None:
                self.read_model.forget(tournament_id)

    def _changed(self, change: Change) -> None:
        self.checkpointer.note(change)
        if change.whole:  # a name may have been erased
            self.names.forget(change.entity.state.tournament_id)
        if change.top:  # scores alone move no due time
            self._ticker.note(change)
            self.families.note(change)
        self._show(change)

    def _show(self, change: Change) -> None:
        self.publisher.note(change)
        if self.read_model is not None:
            self.read_model.note(change)

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
        answer = DeliveryAnswer([], [], {}, {})
        async with self._delivering:
            for delivered in decode_ranges(data):
                position = await self._apply_range(delivered, answer.rejected)
                answer.positions.append(position)
                told = [delivered.ahead] if delivered.ahead else delivered.without
                if told and position.watermark != delivered.upto and (scope := self._scope_of(delivered)) is not None:
                    answer.ahead.update((tournament_id, scope.stands_at(tournament_id)) for tournament_id in told)
                if delivered.ahead:
                    await asyncio.sleep(0)  # it is in a hurry: let it be published before the rest is applied
                for tournament_id in delivered.due_of:
                    entity = self.tournaments.active.get(tournament_id)
                    answer.due_ms[tournament_id] = None if entity is None else entity.state.due_ms
        return encode_answer(answer)

    def _scope_of(self, delivered: Range) -> Scope | None:
        return self.tournaments.scopes.get((delivered.partition, delivered.tournament))

    async def _apply_range(self, delivered: Range, rejected: list[Rejected]) -> ScopePosition:
        key = (delivered.partition, delivered.tournament)
        scope = self._scope_of(delivered)
        if scope is None:
            return ScopePosition(*key, held=False)
        if delivered.after == GONE and delivered.upto == scope.watermark:
            await self.release(*key)  # who adopts it again loads what is durable, under a new epoch
            return ScopePosition(*key, held=False)
        lacking = any(scope.stands_at(tournament_id) < at for tournament_id, at in delivered.without.items())
        if delivered.after == scope.stands_at(delivered.ahead) and delivered.upto > delivered.after and not lacking:
            items = delivered.items
            if scope.ahead:
                items = [item for item in items if item.offset > scope.ahead.get(item.tournament_id, -1)]
            try:
                present = await self._applier.find_all(items, scope)
            except RecordsUnavailableError as error:  # the other ranges may need nothing from there
                logger.warning("%s waits for the records: %s", scope_name(*key), error)
                return ScopePosition(*key, scope.watermark, scope.durable)
            if self.tournaments.scopes.get(key) is not scope:
                return ScopePosition(*key, held=False)
            was_ready = scope.ready
            if not self._applier.apply_all(items, scope, present, rejected):
                self._drop(key)
                return ScopePosition(*key, held=False)
            if delivered.ahead:
                scope.ahead[delivered.ahead] = delivered.upto
            else:
                scope.passed(delivered.upto)
            if scope.ready and not was_ready:
                self._became_ready(scope)
        return ScopePosition(*key, scope.watermark, scope.durable, held=True, closed=scope.closed)

    def _became_ready(self, scope: Scope) -> None:
        logger.info("%s holds %s from epoch %d", self.name, scope_name(scope.partition, scope.tournament), scope.epoch)
        self.audience.look_soon()  # those who watch did so at the last owner
        if self.read_model is not None:
            for entity in self.tournaments.of_scope(scope):
                self.read_model.note(Change(entity, top=True))

    # -- loops (the caller decides when) --------------------------------------------------------------------------

    async def publish_due(self) -> int | None:
        """See Publisher.publish_due."""
        return await self.publisher.publish_due()

    async def look_due(self) -> bool:
        """See Audience.look_due."""
        return await self.audience.look_due()

    async def checkpoint_due(self) -> bool:
        """See Checkpointer.round_due."""
        return await self.checkpointer.round_due(self.tournaments.scopes.values())

    async def read_model_due(self) -> bool:
        """See ReadModelWriter.round_due; without read models there is nothing to do."""
        return self.read_model is not None and await self.read_model.round_due()

    async def tick_due(self) -> int:
        """See Ticker.tick_due."""
        return await self._ticker.tick_due()

    async def families_due(self) -> int:
        """See Families.write_due."""
        return await self.families.write_due()

    async def _saved(self, entity: Entity, offset: int) -> None:
        """A tournament became durable at `offset`: release what waited for that."""
        state = entity.state
        if offset < state.offset:
            return
        held, entity.held = entity.held, []
        for waiting in held:
            self.publisher.reply(waiting.reply_to, outcome_reply(entity, waiting.outcome))
        if state.over and self.tournaments.at_hand(state.tournament_id) is entity:
            self._show(Change(entity, top=True))  # as finished now
        if state.over and entity.scope.tournament:
            entity.scope.closed = True

    def _unsaved(self, entity: Entity) -> None:
        """The store did not take a tournament: whoever created it is answered all the same, since the log keeps the create, and nothing
        passes it before it is durable. What ended it waits on (rule 8)."""
        for waiting in entity.held:
            if waiting.outcome.kind == "create":
                self.publisher.reply(waiting.reply_to, outcome_reply(entity, waiting.outcome))
        entity.held = [waiting for waiting in entity.held if waiting.outcome.kind != "create"]

    async def close(self) -> None:
        """A last checkpoint and publication."""
        if not await self.checkpointer.full_round(self.tournaments.scopes.values()):
            logger.warning("last checkpoint not written; the log has it all")
        await self.publisher.publish_due()
        if self.read_model is not None:
            await self.read_model.close()
