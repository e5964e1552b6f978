"""`scripts/palio watch`: a live table in the terminal; elsewhere a line for each change."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from datetime import UTC, datetime
from typing import Final

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.text import Text

from scripts.cli.connection import Commands, add_command, at_least_one, print_json, say
from scripts.cli.tables import cell, made_table, score_text
from scripts.client.palio_client import Board, PalioClient, Tournament

REDRAW_S: Final = 1.0  # the time that is left
IN_A_LINE: Final = 3  # rows, unless told otherwise


def add_watch(commands: Commands) -> None:
    """The command."""
    watch = add_command(
        commands,
        "watch",
        watch_tournament,
        shows="watch a table live",
        description="Watch a table live, until the tournament is over or Ctrl-C. On a terminal the table is drawn anew with each change; "
        "elsewhere each change is a line. When the connection is lost it comes back by itself, and goes on from where it was.",
        example="scripts/palio watch 5391764025117638656",
    )
    watch.add_argument("tournament", metavar="TOURNAMENT", help="its id")
    watch.add_argument(
        "--rows", type=at_least_one, default=None, metavar="N", help="rows, at most 20 (default: 20; in lines 3)"
    )


async def watch_tournament(palio: PalioClient, options: argparse.Namespace) -> int:
    """Follow it; 0 also when it is stopped."""
    view = await palio.tournament(options.tournament)
    watching = asyncio.ensure_future(_watch(palio, view, options))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        say("palio: stopped")
    return 0


async def _watch(palio: PalioClient, view: Tournament, options: argparse.Namespace) -> None:
    async with palio.live() as live:
        boards = await live.subscribe(view.id)
        if options.json or not sys.stdout.isatty():
            async for board in boards:
                if options.json:
                    print_json(board)
                else:
                    print(line(view, board, options.rows or IN_A_LINE), flush=True)
            return
        with Screen(console=Console(), auto_refresh=False, transient=False) as screen:

            def draw() -> None:
                assert boards.board is not None
                screen.update(picture(view, boards.board, options.rows, datetime.now(UTC)), refresh=True)

            async def redraw() -> None:
                while True:
                    await asyncio.sleep(REDRAW_S)
                    draw()

            clock = asyncio.ensure_future(redraw())
            try:
                async for _ in boards:
                    draw()
            finally:
                clock.cancel()


def line(view: Tournament, board: Board, count: int) -> str:
    """A board in a line."""
    data = board.data
    rows = [f"{rank}. {_who(name, user)} {score}" for rank, user, name, score in _rows(view, board)[:count]]
    away = "" if board.connected else "  (connection lost, trying again)"
    return f"{data.status}  {_participants(data.participants)}  {'  '.join(rows) or '-'}{away}"


def picture(view: Tournament, board: Board, count: int | None, now: datetime) -> Group:
    """A board as a terminal shows it."""
    data = board.data
    head = Text.assemble(
        (cell(view.name), "bold"), f"  {data.status}, {_participants(data.participants)}", _time_left(board, now)
    )
    if not board.connected:
        head.append("\nconnection lost, trying again; this is the last that was seen", style="yellow")
    table = made_table(
        ["rank", "user", "score", "name"],
        [[str(rank), user, score, cell(name)] for rank, user, name, score in _rows(view, board)[:count]],
    )
    table.columns[2].justify = "right"
    return Group(head, table if data.top else Text("nobody has a score yet"))


def _time_left(board: Board, now: datetime) -> str:
    data = board.data
    at = {"scheduled": data.starts_at, "running": data.ends_at}.get(data.status)
    if at is None:
        return ""
    left = score_text(max(0.0, float(int((at - now).total_seconds()))), "time", 0)
    return f", {'starts' if data.status == 'scheduled' else 'ends'} in {left}"


def _rows(view: Tournament, board: Board) -> list[tuple[int, str, str | None, str]]:
    unit = ("points", 2) if view.display is None else (view.display.unit, view.display.decimals)
    ranked = zip(board.ranks(), board.data.top, strict=True)
    return [(rank, row.user_id, row.name, score_text(row.score, *unit)) for rank, row in ranked]


def _participants(count: int) -> str:
    return f"{count} participant{'' if count == 1 else 's'}"


def _who(name: str | None, user: str) -> str:
    return cell(name) if name else f"user {user}"
