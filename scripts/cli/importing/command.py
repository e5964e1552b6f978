"""`scripts/palio import`: shows what it takes a file for, asks, and sends it in batches; what is wrong with it is told by line."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rich.progress import MofNCompleteColumn

from scripts.cli.connection import Commands, add_command, at_least_one, print_json, progress, say
from scripts.cli.importing.mapping import FIELDS, Kind, RowError, RowMaker, guess
from scripts.cli.importing.readers import READERS, FileRow, format_of, lines_of, read
from scripts.cli.tables import cell, print_rows
from scripts.client.palio_client import Join, PalioClient, Score
from scripts.client.palio_client.client import MAX_BATCH

RETRY_FOR_S: Final = 120.0  # a restart of Palio fits in
SHOWN_ROWS: Final = 3
SHOWN_REJECTED: Final = 1000  # lines told; the others are counted
MAX_REMEMBERED: Final = 1_000_000  # users known to take part


class Rejected(NamedTuple):
    """A line that was not taken, and why."""

    line: int
    why: str


def add_import(commands: Commands) -> None:
    """The command."""
    command = add_command(
        commands,
        "import",
        import_file,
        shows="bring scores or joins in from a file",
        description="Bring scores or joins in from a CSV file with a first line of names, or from NDJSON. Which column is what is guessed, "
        "shown, and asked about (--yes: not asked). Rows that cannot be taken are told with their lines, and the others are taken. The exit "
        "status is 1 when there were such rows.\n\n"
        "The same file may be imported again, as after Ctrl-C: nothing counts twice. A row's event id is its event_id column, or else is made "
        "of what the row says.",
        example="scripts/palio import results.csv --tournament 5391764025117638656 --map score=Points --join",
        retry_for_s=RETRY_FOR_S,
    )
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--tournament", default=None, metavar="ID", help="of all rows, where no column says")
    command.add_argument("--format", choices=tuple(READERS), default=None, help="default: by the file's name")
    command.add_argument("--kind", choices=("scores", "joins"), default=None, help="default: scores where there is one")
    command.add_argument(
        "--map",
        action="append",
        type=_pair,
        default=[],
        metavar="FIELD=COLUMN",
        help=f"field: {', '.join(FIELDS)}; may be repeated",
    )
    command.add_argument("--join", action="store_true", help="let each user of a score take part before it")
    command.add_argument("--from-line", type=at_least_one, default=1, metavar="N", help="leave out the lines before")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--dry-run", action="store_true", help="look at every row, and send nothing")


async def import_file(palio: PalioClient, options: argparse.Namespace) -> int:
    """Import; 1 if a row was not taken or the answer was no. Raises ValueError for a file that cannot be read or be what it is taken for."""
    path: Path = options.file
    try:
        return await _import(palio, options, path, options.format or format_of(path))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None


async def _import(palio: PalioClient, options: argparse.Namespace, path: Path, format_name: str) -> int:
    first = list(itertools.islice((row for row in read(path, format_name) if not row.problem), SHOWN_ROWS))
    if not first:
        raise ValueError(f"{path}: expected rows, found none that can be read")
    mapping = guess(dict.fromkeys(name for row in first for name in row.fields), dict(options.map))
    scored = "score" in mapping or "result" in mapping
    kind: Kind = options.kind or ("scores" if scored else "joins")
    maker = RowMaker(kind, mapping, options.tournament)
    _show(path, kind, mapping, first, options)
    if not (options.yes or options.dry_run) and not _agreed():
        say("palio: nothing was imported")
        return 1
    done = _Import(palio, maker, kind, joins=options.join, sends=not options.dry_run)
    try:
        await done.all_of(path, lines_of(path, format_name), read(path, format_name), options.from_line)
    except BaseException:
        say(
            f"palio: stopped; sent are the rows up to line {done.sent_line}. Import the file again, or with --from-line {done.sent_line + 1}"
        )
        raise
    return done.report(as_json=options.json)


def _show(path: Path, kind: Kind, mapping: dict[str, str], first: list[FileRow], options: argparse.Namespace) -> None:
    """What the file is taken for, on stderr: stdout has the report."""
    columns = dict.fromkeys(name for row in first for name in row.fields)
    say(f"palio: {path} has {kind}{', and each user joins first' if options.join and kind == 'scores' else ''}")
    for field in FIELDS:
        if field in mapping:
            examples = ", ".join(cell(row.fields.get(mapping[field])) for row in first)
            say(f"  {field:<14} is {cell(mapping[field])}: {examples}")
        elif field == "tournament_id":
            say(f"  {field:<14} is {options.tournament} for all")
        elif field == "event_id" and kind == "scores":
            say(f"  {field:<14} is made of what the row says")
    if unused := [cell(column) for column in columns if column not in mapping.values()]:
        say(f"  not used       {', '.join(unused)}")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise ValueError("expected --yes: nobody can be asked here")
    say("Import it? [y/N]")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


class _Import:
    """How far it is: `sent_line` is the last line that was sent, or looked at by a dry run."""

    def __init__(self, palio: PalioClient, maker: RowMaker, kind: Kind, *, joins: bool, sends: bool) -> None:
        self.sent_line = 0
        self.accepted = 0
        self.rejected: list[Rejected] = []
        self.rejected_count = 0
        self._palio = palio
        self._maker = maker
        self._kind = kind
        self._joins = joins and kind == "scores"
        self._sends = sends
        self._joined: set[tuple[str, str]] = set()

    async def all_of(self, path: Path, total: int | None, rows: Iterator[FileRow], from_line: int) -> None:
        """Send the rows, 1,000 at a time; `total`: how many lines there are."""
        with progress(MofNCompleteColumn()) as shown:
            task = shown.add_task(path.name, total=total)
            while chunk := list(itertools.islice(rows, MAX_BATCH)):
                await self._chunk(chunk, from_line)
                self.sent_line = chunk[-1].line
                shown.update(task, completed=self.sent_line)

    async def _chunk(self, chunk: list[FileRow], from_line: int) -> None:
        made: list[tuple[FileRow, Score | Join]] = []
        for row in chunk:
            try:
                item = self._maker.make(row)  # also of those left out: the ids of the later ones count them
            except RowError as error:
                if row.line >= from_line:
                    self._reject(row.line, str(error))
                continue
            if row.line >= from_line:
                made.append((row, item))
        if not self._sends:
            self.accepted += len(made)
        elif self._kind == "joins":
            await self._join(made)
        else:
            if self._joins:
                made = await self._let_join(made)
            await self._submit(made)

    async def _join(self, made: list[tuple[FileRow, Score | Join]]) -> None:
        answer = await self._palio.join_all([item for _, item in made if isinstance(item, Join)])
        self.accepted += answer.accepted
        for rejected in answer.rejected:
            self._reject(made[rejected.index][0].line, rejected.code)

    async def _submit(self, made: list[tuple[FileRow, Score | Join]]) -> None:
        answer = await self._palio.submit_all([item for _, item in made if isinstance(item, Score)])
        self.accepted += answer.accepted
        for rejected in answer.rejected:
            self._reject(made[rejected.index][0].line, rejected.code)

    async def _let_join(self, made: list[tuple[FileRow, Score | Join]]) -> list[tuple[FileRow, Score | Join]]:
        """Let the users take part who have not yet; the rows without those who may not."""
        new: dict[tuple[str, str], tuple[FileRow, Join]] = {}
        for row, item in made:
            key = item.tournament_id, item.user_id
            if key not in self._joined:
                new.setdefault(key, (row, self._maker.join(row, *key)))
        answer = await self._palio.join_all([join for _, join in new.values()])
        refused = {list(new)[rejected.index]: rejected.code for rejected in answer.rejected}
        if len(self._joined) > MAX_REMEMBERED:
            self._joined.clear()  # to join again does no harm
        self._joined.update(key for key in new if key not in refused)
        kept = []
        for row, item in made:
            code = refused.get((item.tournament_id, item.user_id))
            if code is None:
                kept.append((row, item))
            else:
                self._reject(row.line, f"the join: {code}")
        return kept

    def _reject(self, line: int, why: str) -> None:
        self.rejected_count += 1
        if len(self.rejected) < SHOWN_REJECTED:
            self.rejected.append(Rejected(line, why))

    def report(self, *, as_json: bool) -> int:
        """Tell what became of the rows."""
        rejected = sorted(self.rejected)
        if as_json:
            rows = [each._asdict() for each in rejected]
            print_json({"accepted": self.accepted, "rejected_count": self.rejected_count, "rejected": rows})
        else:
            if rejected:
                print_rows(["line", "not taken"], [[str(each.line), cell(each.why)] for each in rejected])
            if self.rejected_count > len(rejected):
                print(f"... and {self.rejected_count - len(rejected)} more")
            what = "in the log" if self._sends else "would be sent"
            print(f"{self.accepted} {self._kind} {what}, {self.rejected_count} rows not taken")
        return int(self.rejected_count > 0)


def _pair(text: str) -> tuple[str, str]:
    field, found, column = text.partition("=")
    if not found or field not in FIELDS or not column:
        raise argparse.ArgumentTypeError(f"expected FIELD=COLUMN with one of {', '.join(FIELDS)}, got {text}")
    return field, column
