"""The real servers on this machine: Kafka, a Redis Cluster, shards of MySQL, InfluxDB, an SMTP sink."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from scripts.cli.tables import print_table
from scripts.local_servers.base import ServerError
from scripts.local_servers.fleet import BLOCK, DEFAULT_FIRST_PORT, FACTS, MEMBERS, Fleet, State, one_line

DEFAULT_DIRECTORY: Final = Path(__file__).parents[2] / "var" / "servers"


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    whole = argparse.ArgumentParser(
        prog="servers",
        description="Starts and stops on loopback: Kafka, a Redis Cluster of six, two MySQL shards with replicas, InfluxDB, an SMTP sink.",
        allow_abbrev=False,
    )
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    up = _command(commands, "up", "install and start what does not run; print addresses and credentials", _up)
    up.add_argument(
        "--first-port",
        type=_port,
        metavar="N",
        help=f"the first of {BLOCK} ports (default: {DEFAULT_FIRST_PORT}, or what the directory was made with)",
    )
    _command(commands, "down", "stop all; the data stays", _down)
    _command(commands, "status", "tell which run, with addresses and credentials", _status)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 not (a line for each reason), 2 misused, 130 interrupted."""
    options = parser().parse_args(arguments)
    chosen = [member for member in MEMBERS if not options.only or member.name in options.only]
    try:
        troubles: list[str] = options.command(Fleet(options.data, chosen), options)
    except (ServerError, OSError) as error:
        troubles = [one_line(error)]
    except KeyboardInterrupt:
        print("servers: interrupted; scripts/servers down stops what was started", file=sys.stderr)
        return 130
    for trouble in troubles:
        print(f"servers: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


def _up(fleet: Fleet, options: argparse.Namespace) -> list[str]:
    troubles = fleet.up(options.first_port, _progress)
    _show(fleet, as_json=options.json)
    if not options.json:
        print(f"also in {fleet.directory / FACTS}")
    return troubles


def _down(fleet: Fleet, options: argparse.Namespace) -> list[str]:
    troubles = fleet.down(_progress, others=not options.only)
    if options.json:
        _show(fleet, as_json=True)
    return troubles


def _status(fleet: Fleet, options: argparse.Namespace) -> list[str]:
    _show(fleet, as_json=options.json)
    return []


def _show(fleet: Fleet, *, as_json: bool) -> None:
    states = fleet.states()
    if as_json:
        servers = {state.name: {"state": state.word, "pids": state.pids, **(state.facts or {})} for state in states}
        print(json.dumps({"directory": str(fleet.directory), "servers": servers}, indent=2))
    elif sys.stdout.isatty():
        rows = [(state.name, state.word, "\n".join(_lines(state))) for state in states]
        print_table(("server", "state", "what clients need"), rows)
    else:
        for state in states:
            print(f"{state.name}: {state.word}")
            for line in _lines(state):
                print(f"  {line}")


def _lines(state: State) -> Iterator[str]:
    for name, value in (state.facts or {}).items():
        yield from _flat(name, value)


def _flat(name: str, value: Any) -> Iterator[str]:
    """Lines `name value`; of lists and objects one for each value, named `list.0.key`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for index, inner in enumerate(value):
            yield from _flat(f"{name}.{index}", inner)
    elif isinstance(value, list):
        yield f"{name} {' '.join(map(str, value))}"
    else:
        yield f"{name} {value if isinstance(value, str) else json.dumps(value)}"


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _command(commands: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    command.add_argument("--json", action="store_true", help="print JSON (progress goes to stderr)")
    command.add_argument(
        "--data",
        type=Path,
        default=DEFAULT_DIRECTORY,
        metavar="DIR",
        help="directory of the data (default: var/servers)",
    )
    command.add_argument(
        "--only",
        nargs="+",
        choices=[member.name for member in MEMBERS],
        metavar="NAME",
        help=f"only these of {', '.join(member.name for member in MEMBERS)}",
    )
    command.set_defaults(command=run)
    return command


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else 0
    if not 1024 <= port <= 65_535 - BLOCK:
        raise argparse.ArgumentTypeError(f"expected a port from 1024 to {65_535 - BLOCK}, got {text}")
    return port


if __name__ == "__main__":
    sys.exit(main())
