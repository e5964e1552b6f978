"""What `scripts/palio inspect` does: look at a Palio that runs, or at what a stopped one stored, and print it as tables or as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

from actors.domain.values import parse_id
from cluster.config.settings import Settings, load_settings
from cluster.errors import StartError
from cluster.inspection import Document, Inspection
from cluster.running import joined_palio, running_ray
from cluster.startup.data_check import check_made
from cluster.startup.ports import clock_ms, notices_progress_of, opened, plan_of
from scripts.cli.tables import cell, print_rows
from storage.ports import StorageError

if TYPE_CHECKING:
    from cluster.actors.running_actors import RunningActors


def inspect(options: argparse.Namespace) -> int:
    """Print what is asked for; 1 if a part did not tell. Raises ValueError and StartError: nothing was found, nobody answers."""
    given = load_settings(data_dir=options.data)
    if running_ray(given) is None:
        if options.what == "owners":
            raise StartError(f"expected a running Palio on the data directory {given.data_dir}, found none")
        document = asyncio.run(_inspect(given, None, options))
    else:
        with joined_palio(given) as started:
            from cluster.actors.running_actors import RunningActors  # Ray finds its environment prepared

            settings = started.model_copy(update={"data_dir": given.data_dir})
            actors = RunningActors(plan_of(settings), settings.owner_call_timeout_s)
            document = asyncio.run(_inspect(settings, actors, options))
    if options.json:
        print(json.dumps(document, indent=2))
    else:
        _print(document)
    return int(bool(document["troubles"]))


async def _inspect(settings: Settings, actors: RunningActors | None, options: argparse.Namespace) -> Document:
    try:
        await check_made(settings)
        async with opened(settings) as (log, records):
            inspection = Inspection(
                plan=plan_of(settings),
                log=log,
                records=records,
                notices=notices_progress_of(records),
                actors=actors,
                clock_ms=clock_ms,
            )
            return await _asked(inspection, options)
    except StorageError as error:
        raise ValueError(str(error)) from error


async def _asked(inspection: Inspection, options: argparse.Namespace) -> Document:
    match options.what:
        case "tournament":
            return await inspection.tournament(parse_id(options.tournament))
        case "scope":
            return await inspection.scope(options.scope)
        case "dead-letters":
            return await inspection.dead_letters(options.limit)
        case "owners":
            return await inspection.owners()
        case "notices":
            return await inspection.notices(options.limit)
    if options.partition is not None:
        return await inspection.records_of(options.partition, options.after, options.limit)
    if options.after is not None:
        raise ValueError("expected --partition with --after")
    return await inspection.log()


def _print(document: Document) -> None:
    """Facts first, a line each; then the tables that have rows."""
    facts = {name: value for name, value in document.items() if not isinstance(value, list)}
    print_rows(["fact", "value"], [[name, cell(value)] for name, value in facts.items()])
    for name, rows in document.items():
        if isinstance(rows, list) and rows:
            print(f"\n{name}")
            titles = list(rows[0])
            print_rows(titles, [[cell(row[title]) for title in titles] for row in rows])
