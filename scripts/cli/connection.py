"""Where the commands that ask a Palio find it, and as whom they ask; what they print as JSON, and errors in one line."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from cluster.config.secrets import JWT_SECRET
from cluster.config.settings import API_URL, Settings, load_settings
from cluster.config.tokens import token
from scripts.client.palio_client import NoAnswerError, PalioClient, PalioError, ProblemError
from scripts.client.palio_client.transport import Token

RETRY_FOR_S: Final = 10.0  # somebody waits at the terminal
HELP_CHARS: Final = 88  # of a line; examples are not broken
Work = Callable[[PalioClient, argparse.Namespace], Awaitable[int]]
Commands = Any  # what argparse's `add_subparsers` returns


def add_data_option(command: argparse.ArgumentParser) -> None:
    """`--data`."""
    command.add_argument(
        "--data", type=Path, default=None, metavar="DIR", help="data directory (default: PALIO_DATA_DIR, or var/data)"
    )


def add_command(
    commands: Commands,
    name: str,
    work: Work,
    *,
    shows: str,
    description: str,
    example: str,
    role: str = "service",
    json: bool = True,
    retry_for_s: float | None = None,
) -> argparse.ArgumentParser:
    """A command that asks a Palio: `work` gets a client that signs in as `role` where the token is made here; its result is the exit
    status. `json`: it has `--json`."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=shows,
        description="\n\n".join(textwrap.fill(paragraph, HELP_CHARS) for paragraph in description.split("\n\n")),
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    asked = command.add_argument_group("which Palio, and as whom")
    asked.add_argument(
        "--url",
        default=None,
        help="the api (default: PALIO_URL, or this machine's: the one that runs on the data directory, or at PALIO_PORT)",
    )
    asked.add_argument(
        "--token",
        default=None,
        help="who asks (default: PALIO_TOKEN; or, of the Palio of a local data directory, "
        f"a token of the role {role}, signed with that directory's secret)",
    )
    add_data_option(asked)  # type: ignore[arg-type]  # a group adds as its parser does
    if json:
        command.add_argument("--json", action="store_true", help="print JSON for scripts, a document a line")
    command.set_defaults(command=lambda options: run(work, options, role, retry_for_s or RETRY_FOR_S), work=work)
    return command


def run(work: Work, options: argparse.Namespace, role: str, retry_for_s: float) -> int:
    """Do it with a client. Raises ValueError with one line that says what Palio did not like, or that nobody answers."""
    url, bearer = find(options, role)

    async def whole() -> int:
        if retry_for_s > RETRY_FOR_S:  # for what is cut off later; that nobody is there is told soon
            async with PalioClient(url, bearer, retry_for_s=RETRY_FOR_S) as palio:
                await palio.gateway()
        async with PalioClient(url, bearer, retry_for_s=retry_for_s) as palio:
            return await work(palio, options)

    try:
        return asyncio.run(whole())
    except PalioError as error:
        raise ValueError(explain(error, url)) from None


def find(options: argparse.Namespace, role: str) -> tuple[str, Token]:
    """The api's address and the token: as the options say, else the environment, else the local data directory.

    A token is signed here only for a Palio of this machine: with `--data`, or where no address is given. Raises StartError where that
    cannot be.
    """
    url = options.url or os.environ.get("PALIO_URL")
    given = options.token or os.environ.get("PALIO_TOKEN")
    if given is not None or (url is not None and options.data is None):
        return url or local_url(load_settings(data_dir=options.data)), given
    settings = load_settings(data_dir=options.data)
    return url or local_url(settings), signed(settings, role)


def local_url(settings: Settings) -> str:
    """Where the Palio of a data directory answers: as it noted there when it started, else at the port of the settings."""
    try:
        return (settings.data_dir / API_URL).read_text().strip()
    except OSError:
        return f"http://127.0.0.1:{settings.port}"


def signed(settings: Settings, role: str) -> Token:
    """Tokens of a Palio of this machine, as `scripts/palio token` makes them; None where there is none: what everybody may see."""
    if settings.jwt_secret is None and not (settings.data_dir / JWT_SECRET).exists():
        return None
    return lambda: token(settings, role=role)


def explain(error: PalioError, url: str) -> str:
    """An error in one line, for people."""
    if isinstance(error, ProblemError):
        fields = "; ".join(
            f"{field.path}: {field.message}" for field in error.errors if field.message not in error.detail
        )
        who = "; `--token` or PALIO_TOKEN say who asks" if error.code == "token_missing" else ""
        return f"{error.detail} ({error.code}){f'; {fields}' if fields else ''}{who}"
    if isinstance(error, NoAnswerError) and not isinstance(error.__cause__, PalioError):
        return f"nobody answers at {url} ({error.__cause__ or error}); is Palio running? `--url` or PALIO_URL say where"
    return str(error)


def print_json(value: Any) -> None:
    """One JSON document on a line; what the API leaves out is null."""
    print(msgspec.json.encode(value).decode(), flush=True)


def progress(amount: ProgressColumn) -> Progress:
    """How far long work is, on stderr; drawn on a terminal alone."""
    shown = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn()
    return Progress(*columns, console=shown, disable=not shown.is_terminal)


def say(text: str) -> None:
    """A line for people, beside the output."""
    print(text, file=sys.stderr, flush=True)


def at_least_one(text: str) -> int:
    """A number of rows."""
    if not (text.isascii() and text.isdecimal() and int(text[:9]) >= 1):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return int(text)
