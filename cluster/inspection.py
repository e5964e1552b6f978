"""What `scripts/palio inspect` finds out, from the stores, and from the actors where Palio runs. Nothing here changes anything.

Each answer is a document: facts, and tables (lists of rows), by name. What a part did not tell is missing, and stands among `troubles`.
Values of records are shown as they are, but for a tournament's salt, which is nobody's to know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from actors.director.director import Plan
from actors.domain.delivery import scope_name
from actors.domain.values import parse_id, partition_of, rfc3339
from serve_app.handlers.listing import tournament_item
from storage.ports import (
    RUNNING,
    DeadLetter,
    IngestReport,
    LogRecord,
    Notices,
    OwnerMovedError,
    OwnerReport,
    OwnerUnavailableError,
    Records,
    Reply,
    ScopeReport,
    ScoreLog,
    StorageError,
    ViewQuery,
)

if TYPE_CHECKING:  # Ray is imported only where Palio runs, once its environment is prepared
    from cluster.actors.running_actors import RunningActors

A = TypeVar("A")
Document = dict[str, Any]
LETTERS_SEARCHED: Final = 1000  # of the newest, for those of a tournament
ROWS_SHOWN: Final = 100  # of a tournament's effects and of a scope's tournaments
SECRETS: Final = ("salt",)


class NotFoundError(ValueError):
    """There is no such thing; the message says what was asked for."""


class Inspection:
    """One look at a Palio; `actors` None: it does not run. Make another one for the next look."""

    def __init__(
        self,
        *,
        plan: Plan,
        log: ScoreLog,
        records: Records,
        notices: Notices,
        actors: RunningActors | None,
        clock_ms: Callable[[], int],
    ) -> None:
        self._notices = notices
        self._plan = plan
        self._log = log
        self._records = records
        self._actors = actors
        self._clock_ms = clock_ms
        self._troubles: list[dict[str, str]] = []

    async def tournament(self, tournament_id: int) -> Document:
        """A tournament as its owner has it, or else as it is stored, and how far everyone is with it. Raises NotFoundError."""
        records, partition = self._records, self._partition(tournament_id)
        row = await self._answer("records", records.tournament(tournament_id))
        view = await self._view(tournament_id)
        if row is None and view is None:
            raise self._not_found(f"tournament {tournament_id}")
        fields: Document = {}
        if view is not None:
            fields = msgspec.json.decode(view.body)
        elif row is not None:
            fields = tournament_item(row)
        scope = scope_name(partition, tournament_id if fields["placement"] == "dedicated" else 0)
        snapshots = await self._answer("snapshots", records.shown_snapshots(tournament_id)) or []
        effects = await self._answer("outbox", records.outbox(ROWS_SHOWN, tournament_id)) or []
        letters = await self._answer("dead letters", self._log.dead_letters(LETTERS_SEARCHED)) or []
        key = str(tournament_id).encode()
        return self._document(
            {
                "tournament": str(tournament_id),
                "as_of": "its owner" if view is not None else "the records",
                **{name: value for name, value in fields.items() if name not in ("id", "top", "position")},
                "status_stored": None if row is None else row.status,
                "applied_offset": None if view is None else view.offset,
                "stored_offset": None if row is None else row.offset,
                "stored_epoch": None if row is None else row.epoch,
                **await self._progress(partition, scope),
                "snapshots": [
                    {"offset": found.offset, "bytes": len(found.data) + sum(map(len, found.deltas))}
                    for found in snapshots
                ],
                "outbox": [
                    {"offset": effect.offset, "n": effect.n, "kind": effect.kind, "payload": _value(effect.payload)}
                    for effect in effects
                ],
                "dead_letters": [_letter(letter) for letter in letters if letter.record.key == key][:ROWS_SHOWN],
            }
        )

    async def scope(self, name: str) -> Document:
        """A scope, `partition-<p>` or `tournament-<id>`: who holds it, and how far it is. Raises ValueError, NotFoundError."""
        kind, _, number = name.partition("-")
        if kind == "tournament":
            tournament_id = parse_id(number)
            partition = self._partition(tournament_id)
            row = await self._answer("records", self._records.tournament(tournament_id))
            if row is None:
                raise self._not_found(f"tournament {tournament_id}")
            if not row.dedicated:
                raise NotFoundError(f"tournament {number} has no scope of its own, it is in {scope_name(partition, 0)}")
            return self._document(await self._progress(partition, name))
        if kind != "partition" or not number.isdecimal():
            raise ValueError(f"expected a scope such as partition-7 or tournament-42, got {name!r}")
        partition = int(number)
        if partition >= self._plan.partitions:
            raise NotFoundError(f"expected a partition from 0 to {self._plan.partitions - 1}, got {number}")
        active = await self._answer("records", self._records.active(partition, dedicated=False)) or []
        return self._document(
            {
                **await self._progress(partition, scope_name(partition, 0)),
                "active_tournaments": len(active),  # as stored
                "tournaments": [{"tournament": str(tournament)} for tournament in active[:ROWS_SHOWN]],
            }
        )

    async def log(self) -> Document:
        """The log, partition by partition: what it holds, and how far it is stored, committed and applied."""
        bounds = await self._log.bounds()
        committed = await self._log.committed()
        held = await self._held()
        ends = {partition: bound.last for partition, bound in bounds.items()}
        progress = {each.partition: each for ingest in await self._ingests(ends) for each in ingest.partitions}
        rows = []
        for partition, bound in sorted(bounds.items()):
            name = scope_name(partition, 0)
            applied = [scope.applied for scope in held.get(name, {}).values()]
            reported = progress.get(partition)
            rows.append(
                {
                    "partition": partition,
                    "start": bound.start,
                    "last": bound.last,
                    "committed": committed.get(partition, -1),
                    "stored": await self._stored(partition, name),
                    "applied": max(applied, default=None),
                    "lag_records": None if reported is None else reported.lag_records,
                    "oldest_s": None if reported is None else self._age_s(reported.oldest_ms),
                    "stopped": None if reported is None else reported.stopped,
                }
            )
        return self._document({"log": self._log.identity, "partitions": rows})

    async def records_of(self, partition: int, after: int | None, limit: int) -> Document:
        """Records of a partition after an offset, or else the newest. Raises NotFoundError, and LogTruncatedError for what is gone."""
        bounds = await self._log.bounds()
        if partition not in bounds:
            raise NotFoundError(f"expected a partition from 0 to {len(bounds) - 1}, got {partition}")
        bound = bounds[partition]
        if after is None:
            after = max(bound.start - 1, bound.last - limit)
        found = await self._log.read(partition, after, limit)
        return self._document(
            {
                "partition": partition,
                "start": bound.start,
                "last": bound.last,
                "records": [_record(record) for record in found.records],
            }
        )

    async def dead_letters(self, limit: int) -> Document:
        """The newest dead letters, newest first."""
        return self._document({"dead_letters": [_letter(letter) for letter in await self._log.dead_letters(limit)]})

    async def owners(self) -> Document:
        """Owners and ingest actors, whether they answer or not. Only of a Palio that runs."""
        bounds = await self._answer("log", self._log.bounds()) or {}
        ends = {partition: bound.last for partition, bound in bounds.items()}
        owners, ingests = await self._owners(), await self._ingests(ends)
        return self._document(
            {
                "owners": [self._owner(owner) for owner in owners],
                "ingest": [self._ingest(ingest) for ingest in ingests],
                "outcomes": [
                    {"owner": owner.name, "outcome": outcome, "records": total}
                    for owner in owners
                    for outcome, total in owner.outcomes.items()
                ],
            }
        )

    async def notices(self, limit: int) -> Document:
        """How far events are told, those that are not done first, a row for each channel."""
        found = await self._answer("records", self._notices.progress(limit)) or []
        return self._document(
            {
                "notices": [
                    {
                        "tournament": str(job.tournament_id),
                        "event": job.key,
                        "channel": job.channel,
                        "age_s": self._age_s(job.made_ms),
                        "done": job.done_ms is not None,
                        "last_user": str(job.cursor),
                        "sent": job.sent,
                        "failed": job.failed,
                        "waiting": waiting,
                    }
                    for job, waiting in found
                ]
            }
        )

    # -- parts ----------------------------------------------------------------------------------------------------

    def _document(self, found: Document) -> Document:
        return {"running": self._actors is not None, **found, "troubles": self._troubles}

    async def _answer(self, part: str, asked: Awaitable[A]) -> A | None:
        try:
            return await asked
        except (StorageError, OwnerUnavailableError, OwnerMovedError) as error:
            self._troubles.append({"part": part, "trouble": str(error)})
            return None

    def _not_found(self, what: str) -> NotFoundError:
        if self._troubles:
            troubles = "; ".join(f"{each['part']}: {each['trouble']}" for each in self._troubles)
            return NotFoundError(f"{what} was not found, and not all could be asked ({troubles})")
        return NotFoundError(f"{what} is unknown")

    def _partition(self, tournament_id: int) -> int:
        return partition_of(tournament_id, self._plan.partitions)

    async def _view(self, tournament_id: int) -> Reply | None:
        if self._actors is None:
            return None
        view = await self._answer("owner", self._actors.read(tournament_id, ViewQuery()))
        return view if view is not None and view.found else None

    async def _stored(self, partition: int, scope: str) -> int | None:
        stored = await self._answer(f"records of {scope}", self._records.projected(partition, [scope])) or {}
        return stored.get(scope)

    async def _progress(self, partition: int, scope: str) -> Document:
        """How far everyone is with a scope, and who holds it."""
        held = (await self._held()).get(scope, {})
        bounds = await self._answer("log", self._log.bounds()) or {}
        committed = await self._answer("log", self._log.committed()) or {}
        last = bounds[partition].last if partition in bounds else None
        applied = max((each.applied for each in held.values()), default=None)
        return {
            "scope": scope,
            "partition": partition,
            "log_start": bounds[partition].start if partition in bounds else None,
            "log_last": last,
            "committed_offset": committed.get(partition),
            "scope_stored_offset": await self._stored(partition, scope),
            "scope_applied_offset": applied,
            "lag_records": None if applied is None or last is None else max(0, last - applied),
            "held_by": [
                {"owner": owner, **{k: v for k, v in msgspec.to_builtins(each).items() if k != "scope"}}
                for owner, each in held.items()
            ],
        }

    async def _held(self) -> dict[str, dict[str, ScopeReport]]:
        """For each scope, who holds it."""
        held: dict[str, dict[str, ScopeReport]] = {}
        for owner in await self._owners():
            for scope in owner.scopes:
                held.setdefault(scope.scope, {})[owner.name] = scope
        return held

    async def _owners(self) -> list[OwnerReport]:
        owners = [] if self._actors is None else await self._actors.owners()
        self._note_silent({owner.name: owner.state for owner in owners})
        return owners

    async def _ingests(self, ends: Mapping[int, int]) -> list[IngestReport]:
        ingests = [] if self._actors is None else await self._actors.ingests(ends)
        self._note_silent({ingest.name: ingest.state for ingest in ingests})
        return ingests

    def _note_silent(self, states: Mapping[str, str]) -> None:
        self._troubles += [{"part": name, "trouble": state} for name, state in states.items() if state != RUNNING]

    def _age_s(self, time_ms: int | None) -> float | None:
        return None if time_ms is None else max(0, self._clock_ms() - time_ms) / 1000

    def _owner(self, owner: OwnerReport) -> Document:
        told = msgspec.to_builtins(owner)
        return {
            "owner": told.pop("name"),
            **{name: value for name, value in told.items() if name not in ("scopes", "outcomes")},
            "scopes": len(owner.scopes),
            "catching_up": sum(not scope.ready for scope in owner.scopes),
        }

    def _ingest(self, ingest: IngestReport) -> Document:
        told = msgspec.to_builtins(ingest)
        ages = [age for each in ingest.partitions if (age := self._age_s(each.oldest_ms)) is not None]
        return {
            "ingest": told.pop("name"),
            **told,
            "partitions": len(ingest.partitions),
            "stopped_partitions": sum(each.stopped for each in ingest.partitions),
            "lag_records": sum(each.lag_records for each in ingest.partitions),
            "oldest_s": max(ages, default=None),
        }


def _letter(letter: DeadLetter) -> Document:
    return {
        "partition": letter.record.partition,
        **_record(letter.record),
        "reason": letter.reason,
        "detail": letter.detail,
    }


def _record(record: LogRecord) -> Document:
    return {
        "offset": record.offset,
        "time": rfc3339(record.time_ms),
        "key": record.key.decode(errors="backslashreplace"),
        "signed": bool(record.signature),
        "value": _value(record.value),
    }


def _value(value: bytes) -> Any:
    """JSON as what it says, without what is nobody's to know; anything else as text."""
    try:
        decoded = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value.decode(errors="backslashreplace")
    if isinstance(decoded, dict):
        return {name: each for name, each in decoded.items() if name not in SECRETS}
    return decoded
