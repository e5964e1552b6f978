"""A file of results into one tournament, through the api: what it is taken for, and the same file again to bring it in."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import UNSET

from actors.domain.messages.spec import Display
from serve_app.config import FrontConfig
from serve_app.formats.read.files import READERS, format_of
from serve_app.formats.read.mapping import FIELDS, Item, Kind, Target, choices, guess
from serve_app.formats.read.plan import LOOKED_AT_ROWS, Plan, Reading, Wishes, columns_of, plan_of
from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.values import MARKS, UNITS
from serve_app.handlers.batches import BatchHandlers, score_record
from serve_app.http.batches import MAX_BATCH
from serve_app.http.bodies import decoded_body
from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, invalid
from serve_app.http.request_schemas import BatchJoin, BatchSubmission
from serve_app.services.known import Known
from serve_app.standards.foreign_ids import ForeignIds, ForeignIdsFile
from storage.ports import NewRecord

MAX_ROWS: Final = 10_000  # `scripts/palio import` takes more
SHOWN_ROWS: Final = 5
READ_AT_ONCE: Final = 2  # files a process: each is read in a thread
COLUMNS: Final = tuple(name for name in FIELDS if name != "tournament_id")
KINDS: Final[tuple[str, ...]] = get_args(Kind)
_encode = msgspec.json.Encoder().encode


class _View(msgspec.Struct, frozen=True):
    name: str
    status: str
    display: Display | msgspec.UnsetType = UNSET
    boards: tuple[str, ...] = ()
    subscore: dict[str, Any] | msgspec.UnsetType = UNSET


class _Read(NamedTuple):
    """A file that was read to its end. `problem`: why there is no plan by which it can be brought in."""

    format_name: str
    first: list[FileRow]
    rows: int
    plan: Plan | None
    reading: Reading | None
    made: list[tuple[int, Item]]
    mapping: dict[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ImportHandlers:
    """See the module."""

    batches: BatchHandlers
    ids: ForeignIdsFile
    config: FrontConfig
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READ_AT_ONCE))

    async def import_file(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/import`: 200 with what would be done; with `dry_run=false` 202 once it is in the log."""
        principal = await self.batches.callers.privileged(request)
        format_name, wishes, dry_run = _wishes(request.query)
        known = await self.batches.reads.visible(request.path["tournament"], principal)
        body = decoded_body(request, self.config.max_body_bytes)
        await self.batches.reads.learn_rules(known)
        view = msgspec.json.decode((await self.batches.reads.view(known, full=True)).body, type=_View)
        ids = await self.ids.current()
        async with self.gate:
            read = await asyncio.to_thread(_read, body, format_name, wishes, _target(known, view), ids)
        closed = _closed(read.plan, view.status)
        if dry_run:
            told = _told(read, len(read.made), sent=False) | ({} if closed is None else {"problem": closed.detail})
            return Response(200, _encode(told), dict(NO_STORE))
        if read.plan is None or read.reading is None:
            raise invalid("", read.problem)
        if closed is not None:
            raise closed
        accepted = await self._bring_in(known, read.plan, read.reading, read.made)
        return Response(202, _encode(_told(read, accepted, sent=True)), dict(NO_STORE))

    async def _bring_in(self, known: Known, plan: Plan, reading: Reading, made: Sequence[tuple[int, Item]]) -> int:
        """How many are in the log: of scores, each after its user's join where that is wished. What is refused is told by line."""
        joined: set[str] = set()
        accepted = 0
        for start in range(0, len(made), MAX_BATCH):
            joins: list[NewRecord] = []
            records: list[NewRecord] = []
            for line, item in made[start : start + MAX_BATCH]:
                try:
                    score = None if plan.kind == "joins" else score_record(known, _submission(item))
                    if score is None or (plan.joins and item.user_id not in joined):
                        joins.append(self.batches.join_record(known, _join(item)))
                        joined.add(item.user_id)
                except ValueError as error:
                    reading.reject(line, str(error))
                    continue
                records += [] if score is None else [score]
                accepted += 1
            batches = self.batches
            await batches.appends.accept(
                [*joins, *records], "import", batches.entrypoint, batches.config.append_timeout_s
            )
        if joined:
            self.batches.reads.invalidate(known.text)
        return accepted


def _read(body: bytes, format_name: str | None, wishes: Wishes, target: Target, ids: ForeignIds) -> _Read:
    """All of a file. Raises Problem 422 for one that is none, or is too long."""
    file = io.BytesIO(body)
    try:
        name = format_name or format_of(file)
        rows = list(itertools.islice(READERS[name].read(file), MAX_ROWS + 1))
    except ValueError as error:
        raise invalid("", str(error)) from None
    if len(rows) > MAX_ROWS:
        raise invalid("", f"expected at most {MAX_ROWS} rows; scripts/palio import takes more")
    first = [row for row in rows if not row.problem][:LOOKED_AT_ROWS]
    try:
        plan = plan_of(name, first, wishes, target, ids)
    except ValueError as error:
        return _Read(name, first, len(rows), None, None, [], _guessed(name, first, wishes, target, ids), str(error))
    reading = Reading(plan)
    made = reading.items(rows)
    here = [(line, item) for line, item in made if item.tournament_id == target.tournament_id]
    if others := len(made) - len(here):
        reading.left_out["of another tournament"] += others
    return _Read(name, first, len(rows), plan, reading, here, plan.mapping)


def _guessed(name: str, first: list[FileRow], wishes: Wishes, target: Target, ids: ForeignIds) -> dict[str, str]:
    """What can be told of the columns although something is missing."""
    known = columns_of(first)
    given = {field: column for field, column in wishes.mapping.items() if column in known}
    return guess(first, given, format_name=name, target=target, ids=ids)


def _closed(plan: Plan | None, status: str) -> Problem | None:
    """Why nothing of a file would count as the tournament stands."""
    if plan is None or status == "running":
        return None
    if plan.kind == "scores":
        return Problem(409, "not_running", f"scores count while a tournament runs, and this one is {status}")
    return None if status == "scheduled" else Problem(409, "registration_closed", f"this tournament is {status}")


def _told(read: _Read, accepted: int, *, sent: bool) -> dict[str, Any]:
    columns = columns_of(read.first)
    told: dict[str, Any] = {
        "sent": sent,
        "format": read.format_name,
        "where": READERS[read.format_name].where,
        "columns": columns,
        "grades": choices(read.format_name, columns),
        "mapping": read.mapping,
        "rows": read.rows,
        "accepted": accepted,
    }
    plan, reading = read.plan, read.reading
    if plan is None or reading is None:
        return {**told, "problem": read.problem, "left_out": {}, "rejected_count": 0, "rejected": []}
    return told | {
        "kind": plan.kind,
        "unit": plan.numbers.unit,
        "decimal": plan.numbers.mark,
        "examples": [_shown(item) for _, item in read.made[:SHOWN_ROWS]],
        "left_out": dict(reading.left_out),
        "rejected_count": reading.rejected_count,
        "rejected": [each._asdict() for each in reading.rejected],
        "groups": {name: dict(counted) for name, counted in reading.groups.items() if len(counted) > 1},
    }


def _shown(item: Item) -> dict[str, Any]:
    said = item._asdict()
    return {name: said[name] for name in ("user_id", "name", "score", "subscore", "result") if said[name] is not None}


def _target(known: Known, view: _View) -> Target:
    unit = "points" if view.display is UNSET else view.display.unit
    return Target(known.text, view.name, unit, view.boards, view.subscore is not UNSET)


def _submission(item: Item) -> BatchSubmission:
    return BatchSubmission(
        tournament_id=item.tournament_id,
        event_id=item.event_id,
        user_id=item.user_id,
        score=UNSET if item.score is None else item.score,
        subscore=UNSET if item.subscore is None else item.subscore,
        result=UNSET if item.result is None else item.result,
    )


def _join(item: Item) -> BatchJoin:
    attributes = UNSET if item.groups is None else item.groups
    return BatchJoin(tournament_id=item.tournament_id, user_id=item.user_id, name=item.name, attributes=attributes)


def _wishes(query: Mapping[str, str]) -> tuple[str | None, Wishes, bool]:
    """The format, what is said of the file, and whether nothing is to be sent. Raises Problem 422."""
    condition = query.get("where", "")
    column, found, value = condition.partition("=")
    if condition and not (found and column):
        raise invalid("where", f"expected COLUMN=VALUE, got {condition[:40]!r}")
    wishes = Wishes(
        mapping={name: query[name] for name in COLUMNS if query.get(name)},
        where={column: value} if condition else {},
        kind=_choice(query, "kind", KINDS),
        unit=_choice(query, "unit", UNITS),
        mark=_choice(query, "decimal", MARKS),
        rounds=_flag(query, "round", default=False),
        joins=_flag(query, "join", default=False),
    )
    return _choice(query, "format", tuple(READERS)), wishes, _flag(query, "dry_run", default=True)


def _choice(query: Mapping[str, str], name: str, known: Sequence[str]) -> Any:
    value = query.get(name)
    if value is not None and value not in known:
        raise invalid(name, f"expected one of {', '.join(known)}, got {value[:40]!r}")
    return value


def _flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = query.get(name)
    if value not in (None, "true", "false"):
        raise invalid(name, f"expected true or false, got {value[:40]!r}")
    return default if value is None else value == "true"
