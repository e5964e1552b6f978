"""`scripts/palio dlq`: dead letters, which could not be applied; send them again."""

from __future__ import annotations

import argparse
from typing import Any

from scripts.cli.connection import Commands, add_command, at_least_one, print_json
from scripts.cli.tables import cell, print_rows
from scripts.client.palio_client import PalioClient

MOST_AT_ONCE = 100  # letters that one call sends again


def add_dlq(commands: Commands) -> None:
    """The command."""
    dlq = add_command(
        commands,
        "dlq",
        dead_letters,
        shows="list dead letters, send them again",
        description="List the dead letters of a running Palio, newest first: records that could not be applied, with the reason. Or send some "
        "again, once what was wrong is mended: scores alone; they are judged by the time of now, and one that counted before does not count "
        "twice. Of a stopped Palio: `scripts/palio inspect dead-letters`.",
        example="scripts/palio dlq replay 7:90811 7:90815",
        role="operator",
    )
    dlq.add_argument("action", nargs="?", choices=("list", "replay"), default="list")
    dlq.add_argument(
        "letters", nargs="*", type=_place, metavar="PARTITION:OFFSET", help="which to send again; as the list has them"
    )
    dlq.add_argument("--all", action="store_true", help="send all of the list that can be sent again")
    dlq.add_argument("--limit", type=at_least_one, default=100, metavar="N", help="how many to list (default: 100)")


async def dead_letters(palio: PalioClient, options: argparse.Namespace) -> int:
    """List, or send again; 1 when a letter was not sent, or ignored as no duplicate is."""
    if options.action == "list":
        if options.letters or options.all:
            raise ValueError("expected `replay` with letters, or with --all")
        return await _list(palio, options)
    if bool(options.letters) == options.all:
        raise ValueError("expected either letters, as PARTITION:OFFSET, or --all")
    places = options.letters
    if options.all:
        found = await _letters(palio, options.limit)
        places = [
            {"partition": each["partition"], "offset": each["offset"]} for each in found["items"] if each["replayable"]
        ]
    sent: dict[str, list[dict[str, Any]]] = {"replayed": [], "rejected": []}
    for first in range(0, len(places), MOST_AT_ONCE):
        body = {"letters": places[first : first + MOST_AT_ONCE]}
        answer = await palio.call("POST", "/v1/dead-letters/replay", body=body)
        for what, told in sent.items():
            told.extend(answer[what])
    if options.json:
        print_json(sent)
    else:
        rows = [[_letter(each), each.get("outcome") or "sent", cell(each.get("reason"))] for each in sent["replayed"]]
        rows += [[_letter(each), "not sent", cell(each["detail"])] for each in sent["rejected"]]
        print_rows(["letter", "outcome", "reason"], rows)
    ignored = [
        each for each in sent["replayed"] if each.get("outcome") == "ignored" and each.get("reason") != "duplicate"
    ]
    return int(bool(ignored or sent["rejected"]))


async def _list(palio: PalioClient, options: argparse.Namespace) -> int:
    found = await _letters(palio, options.limit)
    if options.json:
        print_json(found)
        return 0
    rows = [
        [
            _letter(each),
            *(cell(each[name]) for name in ("at", "reason", "kind", "replayable", "detail", "value")),
        ]
        for each in found["items"]
    ]
    print_rows(["letter", "at", "reason", "kind", "again?", "detail", "value"], rows)
    if found["more"]:
        print(f"... and older ones; --limit shows more than {options.limit}")
    return 0


async def _letters(palio: PalioClient, limit: int) -> dict[str, Any]:
    found: dict[str, Any] = await palio.call("GET", "/v1/dead-letters", params={"limit": str(limit)})
    return found


def _letter(place: dict[str, Any]) -> str:
    return f"{place['partition']}:{place['offset']}"


def _place(text: str) -> dict[str, int]:
    partition, _, offset = text.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected PARTITION:OFFSET, as the list has it, got {text}")
    return {"partition": int(partition), "offset": int(offset)}
