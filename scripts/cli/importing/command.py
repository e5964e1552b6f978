"""`scripts/palio import`: reads the whole file, shows what it takes it for, asks, and sends it in batches; what is wrong with it is told by
line."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from rich.progress import MofNCompleteColumn

from scripts.cli.connection import Commands, add_command, at_least_one, print_json, progress, say
from scripts.cli.tables import cell, print_rows
from scripts.client.palio_client import Join, PalioClient, Score
from scripts.client.palio_client.client import MAX_BATCH
from serve_app.formats.read.files import READERS, Format, count_of, format_of
from serve_app.formats.read.mapping import BOARD, FIELDS, Item, Target
from serve_app.formats.read.plan import LOOKED_AT_ROWS, Plan, Reading, Wishes, columns_of, plan_of
from serve_app.formats.read.rows import FileRow
from serve_app.formats.read.values import MARKS, UNITS
from serve_app.standards.foreign_ids import NONE, ForeignIds, parse_foreign_ids

RETRY_FOR_S: Final = 120.0  # a restart of Palio fits in
SHOWN_ROWS: Final = 3
MAX_REMEMBERED: Final = 1_000_000  # users known to take part


def add_import(commands: Commands) -> None:
    """The command."""
    command = add_command(
        commands,
        "import",
        import_file,
        shows="bring scores or joins in from a file",
        description="Bring scores or joins in from a file: CSV with a first line of names, NDJSON, Parquet, a gradebook of Moodle or Canvas, an "
        "IOF XML 3.0 result list, SCORM's JSON. The whole file is read first; which column is what is guessed, shown, and asked about (--yes: "
        "not asked). Rows that cannot be taken are told with their lines, and the others are taken. The exit status is 1 when there were such "
        "rows.\n\n"
        "The same file may be imported again, as after Ctrl-C: nothing counts twice. A row's event id is its event_id column, or else is made "
        "of what the row says.",
        example="scripts/palio import results.csv --tournament 5391764025117638656 --map score=Points --join",
        retry_for_s=RETRY_FOR_S,
    )
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--tournament", default=None, metavar="ID", help="of all rows, where no column says")
    command.add_argument("--format", choices=tuple(READERS), default=None, help="default: by what the file holds")
    command.add_argument("--kind", choices=("scores", "joins"), default=None, help="default: scores where there is one")
    command.add_argument(
        "--map",
        action="append",
        type=_pair,
        default=[],
        metavar="FIELD=COLUMN",
        help=f"field: {', '.join(FIELDS)}; may be repeated",
    )
    command.add_argument(
        "--where",
        action="append",
        type=_condition,
        default=[],
        metavar="COLUMN=VALUE",
        help="only rows that say so, as class=H21; may be repeated",
    )
    command.add_argument(
        "--users",
        type=Path,
        default=None,
        metavar="FILE",
        help="whose users are whose here, as PALIO_FOREIGN_IDS has it",
    )
    command.add_argument("--unit", choices=UNITS, default=None, help="of the scores; default: the tournament's")
    command.add_argument(
        "--decimal", choices=MARKS, default=None, help="the decimal mark; default: that of the first rows"
    )
    command.add_argument("--round", action="store_true", help="round scores to 2 decimals; else more are an error")
    command.add_argument("--join", action="store_true", help="let each user of a score take part before it")
    command.add_argument("--from-line", type=at_least_one, default=1, metavar="N", help="leave out the lines before")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--dry-run", action="store_true", help="look at every row, and send nothing")


async def import_file(palio: PalioClient, options: argparse.Namespace) -> int:
    """Import; 1 if a row was not taken or the answer was no. Raises ValueError for a file that cannot be read or be what it is taken for."""
    path: Path = options.file
    ids = NONE if options.users is None else _foreign_ids(options.users)
    try:
        with path.open("rb") as file:
            target = None if options.tournament is None else await _target(palio, options)
            return await _import(palio, options, _Source(path, file, options.format), target, ids)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None


async def _target(palio: PalioClient, options: argparse.Namespace) -> Target:
    view = await palio.tournament(options.tournament)
    if view.status != "running":
        say(f"palio: this tournament is {view.status}; scores count while it runs")
    unit = options.unit or ("points" if view.display is None else view.display.unit)
    return Target(view.id, view.name, unit, tuple(view.boards or ()), view.subscore is not None)


class _Source:
    """A file that is read again and again from its beginning; what its readers raise names it."""

    def __init__(self, path: Path, file: BinaryIO, format_name: str | None) -> None:
        self.path = path
        self._file = file
        try:
            self.format_name = format_name or format_of(file)
            self.declared_rows = count_of(file, self.format_name)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    @property
    def format(self) -> Format:
        return READERS[self.format_name]

    def rows(self) -> Iterator[FileRow]:
        try:
            yield from self.format.read(self._file)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None


async def _import(
    palio: PalioClient, options: argparse.Namespace, source: _Source, target: Target | None, ids: ForeignIds
) -> int:
    first = list(itertools.islice((row for row in source.rows() if not row.problem), LOOKED_AT_ROWS))
    wishes = Wishes(
        dict(options.map),
        dict(options.where),
        options.kind,
        options.unit,
        options.decimal,
        rounds=options.round,
        joins=options.join,
    )
    try:
        plan = plan_of(source.format_name, first, wishes, target, ids)
    except ValueError as error:
        raise ValueError(f"{source.path}: {error}") from None
    _show(source, plan, first)
    survey = _Import(palio, plan, source, sends=False)
    await survey.all_of(options.from_line, source.declared_rows)
    if options.dry_run:
        return survey.report(as_json=options.json)
    survey.tell()
    if not options.yes and not _agreed():
        say("palio: nothing was imported")
        return 1
    done = _Import(palio, plan, source)
    try:
        await done.all_of(options.from_line, survey.reading.rows)
    except BaseException:
        say(
            f"palio: stopped; sent are the rows up to {source.format.where} {done.sent_line}. Import the file again, or with --from-line "
            f"{done.sent_line + 1}"
        )
        raise
    return done.report(as_json=options.json)


def _show(source: _Source, plan: Plan, first: list[FileRow]) -> None:
    """What the file is taken for, on stderr: stdout has the report."""
    say(
        f"palio: {source.path} is {source.format_name} with {plan.kind}{', and each user joins first' if plan.joins else ''}"
    )
    for field in FIELDS:
        if field in plan.mapping:
            examples = ", ".join(cell(row.fields.get(plan.mapping[field])) for row in first[:SHOWN_ROWS])
            say(f"  {field:<14} is {cell(plan.mapping[field])}: {examples}")
        elif field == "tournament_id" and plan.target is not None:
            say(f"  {field:<14} is {plan.target.tournament_id} for all: {cell(plan.target.name)}")
        elif field == "event_id" and plan.kind == "scores":
            say(f"  {field:<14} is made of what the row says")
    if plan.kind == "scores":
        unit = {"points": "points", "currency": "money", "time": "seconds, or times such as 1:02:50"}[plan.numbers.unit]
        say(
            f"  {'scores':<14} are {unit}, with a decimal {plan.numbers.mark}{', rounded' if plan.numbers.rounds else ''}"
        )
    used = {*plan.mapping.values(), *(BOARD + board for board in (plan.target.boards if plan.target else ()))}
    if unused := [cell(column) for column in columns_of(first) if column not in used]:
        say(f"  not used       {', '.join(unused)[:500]}")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise ValueError("expected --yes: nobody can be asked here")
    say("Import it? [y/N]")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


class _Import:
    """How far it is: `sent_line` is the last line that was sent, or looked at where nothing is sent."""

    def __init__(self, palio: PalioClient, plan: Plan, source: _Source, *, sends: bool = True) -> None:
        self.sent_line = 0
        self.accepted = 0
        self.reading = Reading(plan)
        self._palio = palio
        self._plan = plan
        self._source = source
        self._sends = sends
        self._joined: set[tuple[str, str]] = set()

    async def all_of(self, from_line: int, total: int | None) -> None:
        """Go through the rows, 1,000 at a time; `total`: how many there are, where that is known."""
        rows = self._source.rows()
        what = self._source.path.name if self._sends else f"reading {self._source.path.name}"
        with progress(MofNCompleteColumn()) as shown:
            task = shown.add_task(what, total=total)
            while chunk := list(itertools.islice(rows, MAX_BATCH)):
                await self._send(self.reading.items(chunk, from_line))
                self.sent_line = chunk[-1].line
                shown.update(task, completed=self.reading.rows)

    async def _send(self, made: list[tuple[int, Item]]) -> None:
        if not self._sends:
            self.accepted += len(made)
        elif self._plan.kind == "joins":
            await self._join(made)
        else:
            if self._plan.joins:
                made = await self._let_join(made)
            await self._submit(made)

    async def _join(self, made: list[tuple[int, Item]]) -> None:
        answer = await self._palio.join_all([_join_of(item) for _, item in made])
        self.accepted += answer.accepted
        for rejected in answer.rejected:
            self.reading.reject(made[rejected.index][0], rejected.code)

    async def _submit(self, made: list[tuple[int, Item]]) -> None:
        answer = await self._palio.submit_all([_score_of(item) for _, item in made])
        self.accepted += answer.accepted
        for rejected in answer.rejected:
            self.reading.reject(made[rejected.index][0], rejected.code)

    async def _let_join(self, made: list[tuple[int, Item]]) -> list[tuple[int, Item]]:
        """Let the users take part who have not yet; the rows without those who may not."""
        new: dict[tuple[str, str], Item] = {}
        for _, item in made:
            key = item.tournament_id, item.user_id
            if key not in self._joined:
                new.setdefault(key, item)
        answer = await self._palio.join_all([_join_of(item) for item in new.values()])
        refused = {list(new)[rejected.index]: rejected.code for rejected in answer.rejected}
        if len(self._joined) > MAX_REMEMBERED:
            self._joined.clear()  # to join again does no harm
        self._joined.update(key for key in new if key not in refused)
        kept = []
        for line, item in made:
            code = refused.get((item.tournament_id, item.user_id))
            if code is None:
                kept.append((line, item))
            else:
                self.reading.reject(line, f"the join: {code}")
        return kept

    def tell(self) -> None:
        """What would be done, on stderr, before it is asked about."""
        say(f"  {self._summary('would be sent')}")
        for each in self.reading.rejected[:SHOWN_ROWS]:
            say(f"  not taken      {self._source.format.where} {each.line}: {cell(each.why)}")
        for name, counted in self.reading.groups.items():
            if len(counted) > 1:
                parts = ", ".join(f"{cell(value)} ({count})" for value, count in counted.most_common())
                say(f"  several        {name}: {parts}; --where {name}=... takes one of them")

    def report(self, *, as_json: bool) -> int:
        """Tell what became of the rows."""
        rejected = sorted(self.reading.rejected)
        if as_json:
            rows = [each._asdict() for each in rejected]
            counts: dict[str, Any] = {"accepted": self.accepted, "left_out": dict(self.reading.left_out)}
            print_json({**counts, "rejected_count": self.reading.rejected_count, "rejected": rows})
        else:
            if rejected:
                where = self._source.format.where
                print_rows([where, "not taken"], [[str(each.line), cell(each.why)] for each in rejected])
            if self.reading.rejected_count > len(rejected):
                print(f"... and {self.reading.rejected_count - len(rejected)} more")
            print(self._summary("in the log" if self._sends else "would be sent"))
        return int(self.reading.rejected_count > 0)

    def _summary(self, what: str) -> str:
        reasons = ", ".join(f"{cell(why)} {count}" for why, count in self.reading.left_out.most_common())
        left_out = f", {self.reading.left_out.total()} left out ({reasons})" if reasons else ""
        return f"{self.accepted} {self._plan.kind} {what}{left_out}, {self.reading.rejected_count} rows not taken"


def _score_of(item: Item) -> Score:
    return Score(
        tournament_id=item.tournament_id,
        user_id=item.user_id,
        event_id=item.event_id,
        score=item.score,
        subscore=item.subscore,
        result=item.result,
    )


def _join_of(item: Item) -> Join:
    return Join(tournament_id=item.tournament_id, user_id=item.user_id, name=item.name, attributes=item.groups)


def _foreign_ids(path: Path) -> ForeignIds:
    try:
        return parse_foreign_ids(path.read_bytes())
    except (ValueError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None


def _pair(text: str) -> tuple[str, str]:
    field, found, column = text.partition("=")
    if not found or field not in FIELDS or not column:
        raise argparse.ArgumentTypeError(f"expected FIELD=COLUMN with one of {', '.join(FIELDS)}, got {text}")
    return field, column


def _condition(text: str) -> tuple[str, str]:
    column, found, value = text.partition("=")
    if not found or not column:
        raise argparse.ArgumentTypeError(f"expected COLUMN=VALUE, got {text}")
    return column, value
