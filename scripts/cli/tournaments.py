"""`scripts/palio create`, `list`, `show`, and the commands that change a status: tournaments."""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from scripts.cli.connection import Commands, add_command, at_least_one, print_json, say
from scripts.cli.tables import cell, print_rows, score_text, time_text
from scripts.client.palio_client import CommandOutcome, PalioClient, Row, Tournament

UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
COMMANDS: Final = {  # each is a method of the client, too
    "start": "start a tournament now",
    "end": "end a tournament now",
    "cancel": "cancel a tournament, or stop a series",
    "reveal": "show a table that stands still before the end",
}
FACTS: Final = (
    "id",
    "name",
    "type",
    "status",
    "visibility",
    "participants",
    "capacity",
    "starts_at",
    "ends_at",
    "duration_s",
    "window_s",
    "order",
    "score_policy",
    "ties",
    "max_attempts",
    "min_participants",
    "placement",
    "revision",
    "version",
    "created_by",
    "created_at",
    "finished_at",
)


def add_tournaments(commands: Commands) -> None:
    """The commands."""
    create = add_command(
        commands,
        "create",
        create_tournament,
        shows="create a tournament",
        description="Create a tournament: by flags, by a JSON file with the body of POST /v1/tournaments, or both (a flag goes before the "
        "file's field). Prints its id, alone on the last line. With start and end it is scheduled; with --capacity and --duration-s alone it "
        "is instant: it starts when it is full. What else there is (prizes, series, scoring, ...) stands in docs/tournaments.md.\n\n"
        "With --file many are created, one of each line; the ids are printed, one a line. The exit status is 1 if one of them was refused.",
        example="scripts/palio create 'Spring exam' --starts-at now --ends-at +90m --capacity 1000",
        json=False,
    )
    create.add_argument("name", nargs="?", help="its name, 1 to 200 characters")
    create.add_argument("--json", dest="body", default=None, metavar="FILE", help="the body, as JSON; - is stdin")
    create.add_argument(
        "--file",
        type=Path,
        default=None,
        metavar="FILE",
        help="NDJSON, such a body on each line; no other flag but --key goes with it",
    )
    create.add_argument("--starts-at", metavar="TIME", help="such as 2027-05-01T09:00:00Z, now, or +10m (s, m, h, d)")
    create.add_argument("--ends-at", metavar="TIME", help="the same; + counts from the start")
    create.add_argument("--duration-s", type=float, metavar="N", help="of an instant one: how long it takes")
    create.add_argument("--capacity", type=at_least_one, metavar="N", help="how many may take part")
    create.add_argument(
        "--min-participants", type=at_least_one, metavar="N", help="with fewer at the start it is cancelled"
    )
    create.add_argument("--private", action="store_true", help="by invitation, and hidden from others")
    create.add_argument("--order", choices=("desc", "asc"), help="asc: the lowest score wins, as in a race")
    create.add_argument("--score-policy", choices=("best", "last", "sum", "first"), help="which attempts count")
    create.add_argument("--ties", choices=("first", "shared", "dense"), help="how equal scores rank")
    create.add_argument("--max-attempts", type=at_least_one, metavar="N")
    create.add_argument("--unit", choices=("points", "time", "currency"), help="how scores are shown")
    create.add_argument("--decimals", type=int, choices=(0, 1, 2), help="of scores as they are shown")
    create.add_argument(
        "--key",
        default=None,
        help="Idempotency-Key: the same key again finds the same tournament; with --file each line's is KEY:LINE, unless it has its own",
    )

    listed = add_command(
        commands,
        "list",
        list_tournaments,
        shows="list tournaments",
        description="List tournaments, newest first.",
        example="scripts/palio list --status running",
    )
    listed.add_argument("--status", choices=("scheduled", "running", "finished", "cancelled"))
    listed.add_argument("--type", choices=("scheduled", "instant", "series"))
    listed.add_argument("-q", metavar="TEXT", help="only those with this in their names")
    listed.add_argument("--limit", type=at_least_one, default=50, metavar="N", help="how many at most (default: 50)")

    show = add_command(
        commands,
        "show",
        show_tournament,
        shows="show a tournament and its table",
        description="Show a tournament and the first rows of its table.",
        example="scripts/palio show 5391764025117638656 --rows 10",
    )
    show.add_argument("tournament", metavar="TOURNAMENT", help="its id")
    show.add_argument("--rows", type=int, default=20, metavar="N", help="rows of the table (default: 20; 0: none)")
    show.add_argument("--all", action="store_true", help="all rows of the table")

    for name, shows in COMMANDS.items():
        command = add_command(
            commands,
            name,
            functools.partial(order, name),
            shows=shows,
            description=f"{shows[0].upper()}{shows[1:]}. What states allow it stands in docs/tournaments.md.",
            example=f"scripts/palio {name} 5391764025117638656",
        )
        command.add_argument("tournament", metavar="TOURNAMENT", help="its id")


async def order(name: str, palio: PalioClient, options: argparse.Namespace) -> int:
    """Start, end, ... a tournament."""
    told: CommandOutcome = await getattr(palio, name)(options.tournament)
    if options.json:
        print_json(told)
    else:
        print(f"tournament {told.id} is {told.status}")
    return 0


async def create_tournament(palio: PalioClient, options: argparse.Namespace) -> int:
    """Create it, or those of a file; ids go to stdout."""
    if options.file is not None:
        return await _create_all(palio, options)
    made = await palio.create(body_of(options, datetime.now(UTC)), key=options.key)
    say(f"palio: {cell(made.name)} is {made.status}" + (f", until {time_text(made.ends_at)}" if made.ends_at else ""))
    print(made.id)
    return 0


async def _create_all(palio: PalioClient, options: argparse.Namespace) -> int:
    others = [options.name, options.body, options.private or None]
    flags = ("starts_at", "ends_at", "duration_s", "capacity", "min_participants", "order", "score_policy", "ties")
    if _given({str(n): value for n, value in enumerate(others + [getattr(options, flag) for flag in flags])}):
        raise ValueError("expected --file alone, or with --key")
    lines = specs_of(options.file, options.key)
    done = await palio.create_all(spec for _, spec in lines)
    for made in done.tournaments:
        print(made.id)
    for wrong in done.rejected:
        say(f"palio: {options.file}, line {lines[wrong.index][0]}: {cell(wrong.detail)} ({wrong.code})")
    say(f"palio: {len(done.tournaments)} created, {len(done.rejected)} refused")
    return int(bool(done.rejected))


def specs_of(path: Path, key: str | None) -> list[tuple[int, dict[str, Any]]]:
    """The bodies of a file with their lines, the first is 1. Raises ValueError for a file or a line that cannot be read."""
    found = []
    for number, line in enumerate(_read_text(str(path)).split("\n"), start=1):
        if line.strip():
            spec = _object(line, f"{path}, line {number}")
            if key is not None:
                spec.setdefault("idempotency_key", f"{key}:{number}")
            found.append((number, spec))
    if not found:
        raise ValueError(f"{path}: expected a tournament on each line, found none")
    return found


def body_of(options: argparse.Namespace, now: datetime) -> dict[str, Any]:
    """The body of the create. Raises ValueError for a file or a time that is none."""
    body = _read_body(options.body)
    starts_at = None if options.starts_at is None else moment(options.starts_at, now)
    ends_at = None if options.ends_at is None else moment(options.ends_at, starts_at or now)
    display = {"unit": options.unit, "decimals": options.decimals}
    given = {
        "name": options.name,
        "starts_at": None if starts_at is None else time_text(starts_at),
        "ends_at": None if ends_at is None else time_text(ends_at),
        "visibility": "private" if options.private else None,
        "display": {"unit": "points", "decimals": 2, **body.get("display", {}), **_given(display)}
        if _given(display)
        else None,
        **{
            name: getattr(options, name)
            for name in ("duration_s", "capacity", "min_participants", "order", "score_policy", "ties", "max_attempts")
        },
    }
    body |= _given(given)
    if "name" not in body:
        raise ValueError("expected a name, or --json FILE that has one")
    body.setdefault("type", "instant" if "duration_s" in body and "starts_at" not in body else "scheduled")
    return body


def moment(text: str, origin: datetime) -> datetime:
    """A time: RFC 3339, `now`, or `+10m` from `origin` on. Raises ValueError."""
    if text == "now":
        return origin
    if later := re.fullmatch(r"\+(\d{1,9})([smhd])", text):
        return origin + timedelta(seconds=int(later[1]) * UNITS_S[later[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(
            f"expected a time with its zone, such as 2027-05-01T09:00:00Z, or now, or +10m, got {text[:40]}"
        )
    return found.astimezone(UTC)


async def list_tournaments(palio: PalioClient, options: argparse.Namespace) -> int:
    """A row for each."""
    rows = []
    async for item in palio.tournaments(status=options.status, type=options.type, q=options.q):
        if options.json:
            print_json(item)
        rows.append(
            [item.id, item.status, item.type, *map(cell, (item.participants, item.starts_at, item.ends_at, item.name))]
        )
        if len(rows) == options.limit:
            break
    if not options.json:
        print_rows(["id", "status", "type", "participants", "starts at", "ends at", "name"], rows)
    return 0


async def show_tournament(palio: PalioClient, options: argparse.Namespace) -> int:
    """Its facts and its table."""
    view = await palio.tournament(options.tournament)
    wanted = None if options.all else max(0, options.rows)
    rows = view.top[:wanted]
    if options.all or options.rows > len(view.top):
        rows = [row async for row in palio.rows(view.id)] if options.all else await _first(palio, view, options.rows)
    if options.json:
        print_json({"tournament": view, "rows": rows})
        return 0
    print_rows(
        ["fact", "value"], [[name, cell(getattr(view, name))] for name in FACTS if getattr(view, name) is not None]
    )
    if rows:
        print()
        print_rows(*table_of(view, rows))
    return 0


async def _first(palio: PalioClient, view: Tournament, count: int) -> list[Row]:
    rows: list[Row] = []
    async for row in palio.rows(view.id):
        rows.append(row)
        if len(rows) == count:
            break
    return rows


def table_of(view: Tournament, rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Titles and cells of rows, scores in the tournament's unit."""
    unit = ("points", 2) if view.display is None else (view.display.unit, view.display.decimals)
    cells = [
        [str(row.rank), row.user_id, score_text(row.score, *unit), cell(row.scored_at), cell(row.name)] for row in rows
    ]
    return ["rank", "user", "score", "scored at", "name"], cells


def _read_body(file: str | None) -> dict[str, Any]:
    return {} if file is None else _object(_read_text(file), file)


def _read_text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{file}: expected UTF-8: {error}") from None


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where}: expected JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError(f"{where}: expected an object, the body of a create")  # noqa: TRY004 - it is the file that is wrong
    return body


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
