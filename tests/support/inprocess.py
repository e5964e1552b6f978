"""A whole Palio in one process for tests of the front: the real fold behind in-memory ports, applied as soon as it is appended.

`InProcessPalio` holds the state; `.log`, `.owners`, `.records`, `.read_model`, `.updates` and `.signer` are the ports over it. Faults are
switches: `log.error`, `owners.down`, `owners.delay_s`, `records.down`, `replies_held`, `applying`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from actors.domain import shown, views
from actors.domain.analytics.attempts import FIRST_N, KIND, Attempts
from actors.domain.boards import views as boards
from actors.domain.delivery import Item, ScoreItem
from actors.domain.errors import InvalidRecordError
from actors.domain.events import Event, Outcome
from actors.domain.fold import apply
from actors.domain.life.freeze import is_frozen
from actors.domain.life.freeze import shown as shown_to_public
from actors.domain.life.invitations import admits
from actors.domain.messages import Tick, encode_message
from actors.domain.prizes.standings import PrizeStandings, prize_standings
from actors.domain.publications import (
    LiveData,
    OutcomeReply,
    changed_channel,
    encode_changed,
    encode_outcomes,
    encode_patch,
    update_frame,
    updates_channel,
)
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.domain.series import views as family_views
from actors.domain.series.children import commanded
from actors.domain.signing import Signer
from actors.domain.texts import folded
from actors.domain.tournament import Tournament
from actors.domain.values import partition_of
from actors.ingest.parse import Parsed, Parser
from actors.owner.entity import Scope
from actors.owner.families import Families
from actors.owner.live import Live
from storage.ports import (
    Access,
    AccessQuery,
    ChildrenQuery,
    CohortsQuery,
    GroupRankingsQuery,
    GroupsQuery,
    HistoryQuery,
    InvitationsQuery,
    LiveQuery,
    LiveSnapshot,
    LogRecord,
    NewRecord,
    OutboxRow,
    OwnerUnavailableError,
    ParticipantQuery,
    PrizesQuery,
    Query,
    RankingsQuery,
    Reply,
    ResultsQuery,
    SearchQuery,
    SeriesQuery,
    Standing,
    StandingsQuery,
    TeamsQuery,
    ViewQuery,
)
from tests.support.inprocess_operations import InProcessOperations
from tests.support.inprocess_records import EPOCH, InProcessRecords
from tests.support.inprocess_updates import InProcessUpdates
from tests.support.memory_archive import MemoryArchiveFiles, MemoryArchiveIndex
from tests.support.memory_attempts import MemoryAttempts
from tests.support.memory_notices import MemoryNotices
from tests.support.memory_ports import MemoryMetrics, MemoryScoreLog
from tests.support.memory_prizes import MemoryPrizeLedger
from tests.support.memory_records import MemoryRecords

START_MS = 1_800_000_000_000  # 2027-01-15T08:00:00Z
MISSING = Reply(found=False)


class HeldState:
    """As much of an owner's entity as its families look at."""

    def __init__(self, state: Tournament) -> None:
        self.state = state
        self.scope = Scope(state.partition, 0, 0, 1 << 60, 0)


class InProcessPalio:
    """The state of all tournaments, and the ports over it. Time stands still at `now_ms` until a test moves it."""

    def __init__(self, partitions: int = 8, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms
        self.partitions = partitions
        self.states: dict[int, Tournament] = {}
        self.seqs: dict[int, int] = {}
        self.published: dict[int, LiveData] = {}
        self.recent: dict[int, deque[tuple[int, bytes]]] = {}
        self.signer = Signer({"k1": b"records" * 6}, "k1")
        self.parser = Parser(self.signer, partitions)
        self.updates = InProcessUpdates()
        self.log = InProcessLog(self)
        self.owners = InProcessOwners(self)
        self.records = InProcessRecords(self)
        self.prizes = MemoryPrizeLedger(self.records)
        self.archive = MemoryArchiveFiles()
        self.archives = MemoryArchiveIndex(self.records)
        self.attempts = MemoryAttempts({}, lambda: {number: state.offset for number, state in self.states.items()})
        self.series = MemoryMetrics(1_000_000)
        self.read_model = InProcessReadModel(self)
        self.notices = MemoryNotices(MemoryRecords())
        self.operations = InProcessOperations(self)
        self.applying = True
        self.writing = False
        self.replies_held = False
        self.unapplied: list[LogRecord] = []
        self.held_replies: list[tuple[str, bytes]] = []

    def clock_ms(self) -> int:
        return self.now_ms

    async def take(self, records: Sequence[LogRecord]) -> None:
        """Apply records, unless `applying` is off; then `catch_up` does."""
        self.unapplied.extend(records)
        if self.applying:
            await self.catch_up()

    async def catch_up(self) -> None:
        """Apply what was appended and not applied; then publish."""
        records, self.unapplied = self.unapplied, []
        replies: dict[str, list[OutcomeReply]] = {}
        changed: dict[int, set[int]] = {}
        for record in records:
            parsed = self.parser.parse(record)
            assert isinstance(parsed, Parsed), parsed
            tournament_id, item = parsed.item.tournament_id, parsed.item
            state = self.states.get(tournament_id)
            before = self._rank(state, item.user_id) if state is not None and isinstance(item, ScoreItem) else None
            try:
                state, events = apply(state, tournament_id, record.partition, item)
            except InvalidRecordError:
                continue
            self.states[tournament_id] = state
            self._note_attempt(state, item, events)
            users = changed.setdefault(tournament_id, set())
            for event in events:
                if isinstance(event, Outcome):
                    if event.user_id and event.outcome == "applied":
                        users.add(event.user_id)
                    if record.reply_to:
                        reply = self._outcome(state, event, before)
                        replies.setdefault(record.reply_to, []).append(reply)
        for tournament_id, users in changed.items():
            await self._publish(tournament_id, users)
        if not self.writing:
            await self.write_families()
        messages = [(channel, encode_outcomes(outcomes)) for channel, outcomes in replies.items()]
        self.held_replies.extend(messages)
        if not self.replies_held:
            await self.release_replies()

    async def write_families(self) -> None:
        """Do what parents decided, as an owner's loop does until nothing is left."""
        self.writing = True
        try:
            while True:
                active = {number: HeldState(state) for number, state in self.states.items()}
                if not any(held.state.family for held in active.values()):
                    return
                families = Families(self.log, self.records, self.signer, active, self.clock_ms, 10_000)  # type: ignore[arg-type]
                if not await families.write_due():
                    return
        finally:
            self.writing = False

    async def release_replies(self) -> None:
        """Publish the replies that are held."""
        held, self.held_replies = self.held_replies, []
        await self.updates.publish(held)

    async def pass_time(self, by_ms: int) -> None:
        """Let time pass, and ticks tell every tournament of it."""
        self.now_ms += by_ms
        for tournament_id in list(self.states):
            key, partition = str(tournament_id).encode(), partition_of(tournament_id, self.partitions)
            await self.log.append([NewRecord(partition, key, encode_message(Tick()))])

    def position(self, tournament_id: int) -> tuple[int, int]:
        return EPOCH, self.seqs.get(tournament_id, 0)

    async def _publish(self, tournament_id: int, users: set[int]) -> None:
        state = self.states[tournament_id]
        data = Live().data_now(shown_to_public(state, state.status), state.status)
        before = self.published.get(tournament_id)
        self.published[tournament_id] = data
        messages = []
        if before is not None and (operations := views.patch(before, data)):
            seq = self.seqs[tournament_id] = self.seqs.get(tournament_id, 0) + 1
            patch = encode_patch(operations)
            self.recent.setdefault(tournament_id, deque(maxlen=16)).append((seq, patch))
            messages.append((updates_channel(tournament_id), update_frame(tournament_id, EPOCH, seq, patch)))
        if users:
            messages.append((changed_channel(tournament_id), encode_changed(users)))
        await self.updates.publish(messages)

    def _note_attempt(self, state: Tournament, item: Item, events: Sequence[Event]) -> None:
        """What an owner tells analytics with a checkpoint after each record."""
        attempts = Attempts()
        if isinstance(item, ScoreItem) and any(isinstance(e, Outcome) and e.outcome == "applied" for e in events):
            score = state.ranking.score(state.members.slot(item.user_id))
            assert score is not None
            attempts.add(item.offset, state.time_ms, item.user_id, score)
        (block,) = attempts.blocks()
        self.attempts.tell(OutboxRow(state.tournament_id, state.offset, FIRST_N, KIND, block))

    @staticmethod
    def _rank(state: Tournament | None, user_id: int) -> int | None:
        slot = -1 if state is None else state.members.slot(user_id)
        return None if state is None or slot < 0 else state.ranking.rank(slot)

    def _outcome(self, state: Tournament, event: Outcome, before: int | None) -> OutcomeReply:
        slot = state.members.slot(event.user_id) if event.user_id else -1
        ranked = slot >= 0 and not is_frozen(state, state.status)
        return OutcomeReply(
            partition=state.partition,
            offset=event.offset,
            kind=event.kind,
            outcome=event.outcome,
            reason=event.reason,
            detail=event.detail,
            first=event.first,
            score=state.ranking.score(slot) if slot >= 0 else None,
            rank=state.ranking.rank(slot) if ranked else None,
            previous_rank=before if ranked else None,
            status=state.status,
            version=state.version,
            subscore=state.ranking.subscore(slot) if slot >= 0 and isinstance(state.ranking, SubscoreRanking) else None,
        )


class InProcessLog(MemoryScoreLog):
    """The log; `error` is raised by the next appends while it is set; `appended_records` counts."""

    def __init__(self, palio: InProcessPalio) -> None:
        super().__init__(palio.partitions, clock_ms=palio.clock_ms)
        self._palio = palio
        self.error: Exception | None = None
        self.calls: list[list[NewRecord]] = []

    def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> asyncio.Future[list[int]]:
        return asyncio.ensure_future(self._append(records))

    async def _append(self, records: Sequence[NewRecord]) -> list[int]:
        if self.error is not None:
            raise self.error
        offsets = await super().append(records)
        self.calls.append(list(records))
        await self._palio.take(
            [
                LogRecord(r.partition, offset, self._palio.now_ms, r.key, r.value, r.signature, r.reply_to)
                for r, offset in zip(records, offsets, strict=True)
            ]
        )
        return offsets

    async def check_writable(self) -> None:
        if self.error is not None:
            raise self.error


class InProcessOwners:
    """`Owners` over the states; `calls` counts what was asked."""

    def __init__(self, palio: InProcessPalio) -> None:
        self._palio = palio
        self.down = False
        self.delay_s = 0.0
        self.calls: dict[str, int] = {}

    async def _state(self, call: str, tournament_id: int) -> Tournament | None:
        self.calls[call] = self.calls.get(call, 0) + 1
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.down:
            raise OwnerUnavailableError("the owner is down")
        return self._palio.states.get(tournament_id)

    async def read(self, tournament_id: int, query: Query[Any]) -> Any:
        name = type(query).__name__.removesuffix("Query").lower()
        state = await self._state(name, tournament_id)
        kept = self._palio.read_model
        match query:
            case HistoryQuery():
                return MISSING if state is None else kept.reply(state, views.encode(views.history(state)))
            case PrizesQuery():
                if state is None:
                    return PrizeStandings(found=False)
                return prize_standings(state, state.status, query.rules, table=query.table)
            case ChildrenQuery():
                return [] if state is None else commanded(state, query.command)
            case CohortsQuery() | SeriesQuery():
                if state is None:
                    return MISSING
                family = (
                    family_views.series(state, state.status)
                    if isinstance(query, SeriesQuery)
                    else family_views.cohorts(state, query.start, query.limit)
                )
                return MISSING if family is None else kept.reply(state, views.encode(family))
            case InvitationsQuery():
                return MISSING if state is None else kept.reply(state, views.encode(views.invitations(state)))
            case LiveQuery():
                if state is None:
                    return LiveSnapshot(found=False)
                public = state.spec.visibility == "public"
                data = views.encode(self._palio.published[tournament_id])
                recent = tuple(self._palio.recent.get(tournament_id, ()))
                return LiveSnapshot(True, public, *self._palio.position(tournament_id), data, recent)
            case StandingsQuery():
                if state is None:
                    return []
                slots = [(user, slot) for user in query.users if (slot := state.members.slot(user)) >= 0]
                ranking = state.ranking
                if is_frozen(state, state.status):
                    return [Standing(u, None, ranking.score(s), None) for u, s in slots]
                return [Standing(u, ranking.rank(s), ranking.score(s), ranking.percentile(s)) for u, s in slots]
            case AccessQuery():
                return Access(found=False) if state is None else kept.shown(state, query)
        return MISSING if state is None else kept.shown(state, query)

    async def positions(self, tournament_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        if self.down:
            return {}
        return {tid: self._palio.position(tid) for tid in tournament_ids if tid in self._palio.states}

    async def resolve_placement(self, tournament_id: int, placement: str, capacity: int | None) -> bool:
        return placement == "dedicated" or (placement == "auto" and (capacity or 0) >= 10_000)


class InProcessReadModel:
    """`ReadModel` over the states themselves, when `holds` is set: what owners would have written."""

    def __init__(self, palio: InProcessPalio) -> None:
        self._palio = palio
        self.holds = False

    async def write(self, deltas: Sequence[Any]) -> list[int]:
        return []

    async def positions(self, epochs: Mapping[int, int]) -> dict[int, Any]:
        return {}

    async def read(self, tournament_id: int, query: Query[Any]) -> Any:
        state = self._palio.states.get(tournament_id) if self.holds else None
        return None if state is None else self.shown(state, query)

    async def close(self) -> None:
        return None

    def shown(self, state: Tournament, query: Query[Any]) -> Any:
        at = *self._palio.position(state.tournament_id), state.status
        table = state if getattr(query, "full", False) else shown_to_public(state, state.status)
        page: dict[str, Any] | None
        match query:
            case AccessQuery():
                user, slot_of = query.user_id, state.members.users.slot
                member = user is not None and state.members.slot(user) >= 0
                invited = (
                    user is not None
                    and query.invitation is not None
                    and admits(state, query.invitation, user, slot_of(user))
                )
                return Access(True, state.spec.visibility == "public", member, invited)
            case ViewQuery():
                page, full = shown.view(state, *at, full=query.full), query.full
            case RankingsQuery():
                asked = query.start, query.limit, query.around, query.users
                page, full = shown.rankings(state, *asked, *at, full=query.full), query.full
            case SearchQuery():
                named = [s for s, n in enumerate(state.members.names) if n and query.text in folded(n)]
                own = -1 if query.user_id is None else state.members.slot(query.user_id)
                slots = sorted({*named, *([own] if own >= 0 else [])})
                page = shown.found(state, slots, query.start, query.limit, *at, full=query.full)
                full = query.full
            case GroupRankingsQuery():
                asked_group = query.board, query.group, query.start, query.limit, query.around
                page, full = boards.group_rankings(table, *asked_group, *at), query.full
            case GroupsQuery():
                groups = boards.groups_of(table, query.board)
                page = None if groups is None else boards.groups_page(table, groups, query.start, query.limit, *at)
                full = query.full
            case TeamsQuery():
                teams = boards.teams_of(table)
                page = None if teams is None else boards.teams_page(table, teams, query.start, query.limit, *at)
                full = query.full
            case ParticipantQuery():
                who = {"own": query.own, "full": query.full}
                page = shown.participant(state, query.user_id, None, state.status, **who)
                full = any(who.values()) and shown.is_personal(state, query.user_id, state.status)
            case ResultsQuery():
                reply = self.reply(state, shown.results(state, state.status, full=query.full))
                hidden = query.full and is_frozen(state, state.status)
                return reply._replace(public=False, etag="", frozen=False) if hidden else reply
            case _:
                raise TypeError(query)
        frozen = is_frozen(state, state.status)
        if page is None:
            return MISSING._replace(frozen=frozen and not full)
        reply = self.reply(state, views.encode(page))
        return (
            reply._replace(public=False, etag="", frozen=False)
            if full and (frozen or isinstance(query, ParticipantQuery))
            else reply
        )

    def reply(self, state: Tournament, body: bytes) -> Reply:
        epoch, seq = self._palio.position(state.tournament_id)
        return Reply(
            found=True,
            public=state.spec.visibility == "public",
            body=body,
            etag=f'"{epoch:x}-{state.offset:x}-{seq:x}"',
            status=state.status,
            epoch=epoch,
            seq=seq,
            offset=state.offset,
            frozen=is_frozen(state, state.status),
        )
