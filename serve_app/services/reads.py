"""Reading tournaments: encoded bytes of public ones from a bounded cache, else the owner, else bytes of a bounded age, else the read model.

So a read is answered while an owner restarts. Private tournaments are never cached.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from actors.domain.publications import OutcomeReply
from actors.domain.values import parse_id, partition_of
from serve_app.config import FrontConfig
from serve_app.http.messages import Principal
from serve_app.http.problems import Problem, unavailable
from serve_app.metrics import READS
from serve_app.services.known import Known
from serve_app.services.submission_rules import rules_of
from storage.ports import (
    Access,
    AccessQuery,
    GroupRankingsQuery,
    GroupsQuery,
    HistoryQuery,
    OwnerMovedError,
    Owners,
    OwnerUnavailableError,
    ParticipantQuery,
    Query,
    RankingsQuery,
    ReadModel,
    Records,
    RecordsUnavailableError,
    Reply,
    ResultsQuery,
    SearchQuery,
    StorageError,
    TeamsQuery,
    ViewQuery,
)

A = TypeVar("A")

STALE_AFTER_S: Final = 0.25  # a refresh that takes longer does not hold up readers who can have the old bytes
ENTRY_OVERHEAD_BYTES: Final = 600

_from_cache = READS.labels(source="cache")
_from_owner = READS.labels(source="owner")
_from_stale = READS.labels(source="stale")
_from_read_model = READS.labels(source="read_model")


class _Ranked(msgspec.Struct):
    rank: int | None = None


_decode_rank: Final = msgspec.json.Decoder(_Ranked).decode


class CachedReply:
    """A public reply as cached; `asked_s` is when it was asked for, so its content is no older.

    `wire` is the entrypoint's: it may keep its whole encoded response here, it lives as long as the bytes.
    """

    __slots__ = ("asked_s", "reply", "wire")

    def __init__(self, reply: Reply, asked_s: float) -> None:
        self.reply = reply
        self.asked_s = asked_s
        self.wire: bytes | None = None


class Reads:
    """See the module. Ages are of a monotonic clock, in seconds; the cache is bounded by entries and by bytes, least recently used first."""

    def __init__(
        self,
        config: FrontConfig,
        owners: Owners,
        records: Records,
        read_model: ReadModel,
        partitions: int,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owners = owners
        self._records = records
        self._read_model = read_model
        self._partitions = partitions
        self._monotonic_s = monotonic_s
        self._fresh_s = config.view_cache_ms / 1000
        self._stale_s = max(config.view_cache_ms, config.view_stale_ms) / 1000
        self._max_entries = config.view_cache_entries
        self._max_bytes = config.view_cache_bytes
        self._max_known = config.known_entries
        self._cache: OrderedDict[str, CachedReply] = OrderedDict()
        self._bytes = 0
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._limits: set[int] = set()  # of the first pages that were ever asked for
        self._refreshing: dict[str, asyncio.Task[Reply | None]] = {}
        self._tasks: set[asyncio.Task[Reply | None]] = set()

    # -- what exists ----------------------------------------------------------------------------------------------

    def known(self, tournament: str) -> Known | None:
        """A tournament found before, by its decimal id, without asking anyone."""
        found = self._known.get(tournament)
        if found is not None:
            self._known.move_to_end(tournament)
        return found

    async def find(self, tournament: str) -> Known:
        """A tournament with its visibility. Raises Problem 404 `tournament_unknown`, 503 when nobody can tell."""
        found = self.known(tournament)
        if found is not None and found.public is not None:
            return found
        return (await self.access(tournament, None, sees_all=True))[0]

    async def visible(self, tournament: str, principal: Principal | None) -> Known:
        """A tournament that the caller may see. Raises Problem 404 for one that is unknown or hidden, in the same way, 503."""
        sees_all = principal is not None and principal.privileged
        known = self.known(tournament)
        if known is None or known.public is None or not (known.public or sees_all):
            known, allowed = await self.access(tournament, principal and principal.user_id, sees_all=sees_all)
            if not allowed:
                raise unknown_tournament(known.text)
        return known

    async def access(self, tournament: str, user_id: int | None, *, sees_all: bool = False) -> tuple[Known, bool]:
        """As `asked_access`: the tournament, and whether the user may see it."""
        known, access = await self.asked_access(tournament, AccessQuery(user_id), sees_all=sees_all)
        return known, access.allowed or sees_all

    async def asked_access(
        self, tournament: str, query: AccessQuery, *, sees_all: bool = False
    ) -> tuple[Known, Access]:
        """A tournament, and whether this user (None: without a token) may see it: as of now, so that whoever was removed is out, and so that
        a hidden one takes as long as an unknown one. Raises Problem 404 `tournament_unknown`, 503 when nobody can tell.

        `sees_all`: for a service or an operator, or only whether there is one.
        """
        try:
            tournament_id = parse_id(tournament)
        except ValueError:
            raise unknown_tournament(tournament) from None
        try:
            access = await self._owners.read(tournament_id, query)
            _from_owner.inc()
        except (OwnerUnavailableError, OwnerMovedError):
            access = await self._kept_access(tournament_id, query.user_id, sees_all)
        if not access.found:
            raise unknown_tournament(tournament)
        return self.remember(tournament_id, public=access.public), access

    async def learn_rules(self, known: Known) -> None:
        """Have `known.rules`, by the view, once for its life; nothing while nobody can tell: then the fold alone judges submissions."""
        if known.rules is not None:
            return
        try:
            reply = await self.view(known)
        except Problem:  # 503
            return
        if reply.found:
            known.learn(rules_of(reply.body))

    def remember(self, tournament_id: int, *, public: bool | None) -> Known:
        """Note that a tournament exists."""
        text = str(tournament_id)
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self.fresh(tournament_id, public=public)
            if len(self._known) > self._max_known:
                self._known.popitem(last=False)
        elif public is not None:
            known.public = public
        return known

    def fresh(self, tournament_id: int, *, public: bool | None) -> Known:
        """The same of a tournament that is not known to exist yet."""
        return Known(tournament_id, partition_of(tournament_id, self._partitions), public)

    async def _kept_access(self, tournament_id: int, user_id: int | None, sees_all: bool) -> Access:
        """Who is let in while the owner does not answer, by the read model, else by the durable row. Raises Problem 503 for everybody else.

        Only an owner refuses: what is not found here may be too new, and what is hidden is not told from it.
        """
        access = await self._read_model_answer(tournament_id, AccessQuery(user_id))
        if access is not None and (access.allowed or sees_all):
            _from_read_model.inc()
            return access
        try:
            row = await self._records.tournament(tournament_id)
        except RecordsUnavailableError as error:
            raise owner_away() from error
        if row is None or not (row.visibility == "public" or sees_all):
            raise owner_away()
        return Access(True, row.visibility == "public")

    # -- public bytes ---------------------------------------------------------------------------------------------

    def cached_view(self, tournament: str, principal: Principal | None, now_s: float) -> CachedReply | None:
        """The view of a public tournament if it is fresh at `now_s` (`time.monotonic()`), else None: then ask `view`."""
        entry = self._fresh(tournament, now_s)
        if entry is not None and entry.reply.frozen and principal is not None and principal.privileged:
            return None
        return entry

    def invalidate(self, tournament: str) -> None:
        """Forget what is kept of a tournament, and what is being fetched: the next reader of the view or of a page asks the owner."""
        for key in (tournament, *(f"{tournament}?{limit}" for limit in self._limits)):
            self._drop(key)
            self._refreshing.pop(key, None)

    def invalidate_id(self, tournament_id: int) -> None:
        """The same by its number."""
        self.invalidate(str(tournament_id))

    async def view(self, known: Known, *, full: bool = False) -> Reply:
        """The view, of a private tournament as of now; in `full` of the real table. Raises Problem 503."""
        if not known.public:
            return await self._ask(known.tournament_id, ViewQuery(full=full))
        reply = await self._public(known.text, known, ViewQuery())
        return await self._ask(known.tournament_id, ViewQuery(full=True)) if full and reply.frozen else reply

    async def rankings(self, known: Known, query: RankingsQuery, *, full: bool = False) -> Reply:
        """The rankings, the first page of a public tournament from the cache; in `full` the real ones. Raises Problem 503."""
        if known.public and query.start == 0 and query.around is None and not query.users:
            self._limits.add(query.limit)
            reply = await self._public(f"{known.text}?{query.limit}", known, query)
            if not (full and reply.frozen):
                return reply
        return await self._ask(known.tournament_id, msgspec.structs.replace(query, full=full))

    async def search(self, known: Known, query: SearchQuery) -> Reply:
        """The rows of those whose names are asked for, as of now. Raises Problem 503: only the owner looks for names."""
        return await self._ask(known.tournament_id, query)

    async def board(self, known: Known, query: GroupRankingsQuery | GroupsQuery | TeamsQuery) -> Reply:
        """What is read of boards, as of now. Raises Problem 503."""
        return await self._ask(known.tournament_id, query)

    async def results(self, known: Known, *, full: bool) -> Reply:
        """The results as columns, as of now; in `full` the real ones. Raises Problem 503."""
        return await self._ask(known.tournament_id, ResultsQuery(full=full))

    async def participant(self, known: Known, user_id: int, principal: Principal | None) -> Reply:
        """A participant as shown to this caller, as of now. Raises Problem 503."""
        full = principal is not None and principal.privileged
        own = principal is not None and principal.user_id == user_id
        return await self._ask(known.tournament_id, ParticipantQuery(user_id, own=own, full=full))

    async def with_rank(self, known: Known, user_id: int, principal: Principal, outcome: OutcomeReply) -> OutcomeReply:
        """An outcome as this caller may know it: replies of a table that stands still have no rank, which services and operators are told."""
        if outcome.rank is not None or outcome.score is None or not principal.privileged:
            return outcome
        try:
            reply = await self.participant(known, user_id, principal)
        except Problem:  # 503: the owner answered, and is away now
            return outcome
        rank = _decode_rank(reply.body).rank if reply.found else None
        return msgspec.structs.replace(outcome, rank=rank)

    async def history(self, known: Known) -> Reply:
        """Who ordered what. Raises Problem 503: only the owner knows."""
        try:
            return await self._owners.read(known.tournament_id, HistoryQuery())
        except (OwnerUnavailableError, OwnerMovedError):
            raise owner_away() from None

    async def _ask(self, tournament_id: int, query: Query[A]) -> A:
        """The owner's answer, else the read model's. Raises Problem 503 when neither answers."""
        try:
            answer = await self._owners.read(tournament_id, query)
        except (OwnerUnavailableError, OwnerMovedError):
            kept = await self._read_model_answer(tournament_id, query)
            if kept is None:
                raise owner_away() from None
            _from_read_model.inc()
            return kept
        _from_owner.inc()
        return answer

    async def _read_model_answer(self, tournament_id: int, query: Query[A]) -> A | None:
        try:
            return await self._read_model.read(tournament_id, query)
        except StorageError:
            return None

    async def close(self) -> None:
        """End refreshes under way. A second call does nothing."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fresh(self, key: str, now_s: float) -> CachedReply | None:
        entry = self._cache.get(key)
        if entry is None or now_s - entry.asked_s >= self._fresh_s:
            return None
        self._cache.move_to_end(key)
        _from_cache.inc()
        return entry

    async def _public(self, key: str, known: Known, query: Query[Reply]) -> Reply:
        """A reply for anyone: fresh from the cache, else refreshed by one caller for all. Raises Problem 503 when nobody answers.

        Only public replies enter the cache. Bytes of a bounded age are better than waiting for an owner that is slow.
        """
        fresh = self._fresh(key, self._monotonic_s())
        if fresh is not None:
            return fresh.reply
        task = self._refreshing.get(key)
        if task is None:
            task = self._refreshing[key] = asyncio.create_task(self._refresh(key, known.tournament_id, query))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._stale(key) is not None:
            await asyncio.wait({task}, timeout=STALE_AFTER_S)
            if not task.done() and (stale := self._stale(key)) is not None:
                _from_stale.inc()
                return stale
        reply = await asyncio.shield(task)
        if reply is None:
            raise owner_away()
        return reply

    def _stale(self, key: str) -> Reply | None:
        """What may be shown while the owner does not answer, with its age."""
        entry = self._cache.get(key)
        if entry is None:
            return None
        age_s = self._monotonic_s() - entry.asked_s
        return entry.reply._replace(age_s=age_s) if age_s < self._stale_s else None

    async def _refresh(self, key: str, tournament_id: int, query: Query[Reply]) -> Reply | None:
        asked_s = self._monotonic_s()
        try:
            reply = await self._owners.read(tournament_id, query)
            _from_owner.inc()
        except (OwnerUnavailableError, OwnerMovedError):
            if (stale := self._stale(key)) is not None:
                _from_stale.inc()
                return stale
            asked_s = self._monotonic_s()
            kept = await self._read_model_answer(tournament_id, query)
            if kept is None:
                return None
            _from_read_model.inc()
            reply = kept
        finally:
            # a command may have had this one forgotten: then what it brings is for those who wait for it alone
            wanted = self._refreshing.get(key) is asyncio.current_task()
            if wanted:
                del self._refreshing[key]
        if wanted:
            self._store(key, reply, asked_s)
        return reply

    def _store(self, key: str, reply: Reply, asked_s: float) -> None:
        old = self._drop(key)
        if not (reply.found and reply.public):
            return
        entry = CachedReply(reply, asked_s)
        if old is not None and old.reply.body == reply.body and old.reply.etag == reply.etag:
            entry.wire = old.wire
        self._cache[key] = entry
        self._bytes += len(reply.body) + ENTRY_OVERHEAD_BYTES
        while len(self._cache) > self._max_entries or (self._bytes > self._max_bytes and len(self._cache) > 1):
            self._drop(next(iter(self._cache)))

    def _drop(self, key: str) -> CachedReply | None:
        entry = self._cache.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry.reply.body) + ENTRY_OVERHEAD_BYTES
        return entry


def owner_away() -> Problem:
    """503: neither the owner nor the read model answers."""
    return unavailable("unavailable", "the tournament is being moved or restarted; try again")


def unknown_tournament(text: str) -> Problem:
    """404, also for a tournament that is hidden from the caller."""
    return Problem(404, "tournament_unknown", f"there is no tournament {text[:40]}")
