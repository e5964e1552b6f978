"""What `scripts/palio analytics rebuild` does: makes the series of analytics anew, from what is stored."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

from rich.progress import MofNCompleteColumn

from actors.analytics.collector import Collector
from cluster.config.settings import Settings, load_settings
from cluster.running import running_ray
from cluster.startup.data_check import check_made
from cluster.startup.ports import attempts_of, open_archive, open_records, open_series, with_archive
from scripts.cli.connection import progress
from storage.ports import AttemptBlocks, Records, StorageError

LOOK_S: Final = 0.5
STANDS_STILL_S: Final = 60.0  # from which on it is told that nothing moves


def rebuild(data_dir: Path | None) -> int:
    """Do it, and tell how far it is; 1 when some could not be made. A running Palio's own actor does the work, else it is done here. Cut off,
    it goes on with what is left when it is started again. Raises ValueError for stores that do not answer, or are not there.
    """
    settings = load_settings(data_dir=data_dir)
    try:
        return asyncio.run(_rebuild(settings))
    except StorageError as error:
        raise ValueError(str(error)) from error


async def _rebuild(settings: Settings) -> int:
    await check_made(settings)
    records = await open_records(settings)
    try:
        blocks = attempts_of(records)
        there = await blocks.rebuild()
        working = None
        if running_ray(settings) is None:
            working = asyncio.create_task(_collected(settings, records))
        try:
            left = await _followed(blocks, there, working)
        finally:
            if working is not None:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
    finally:
        await records.close()
    print(
        f"palio: {there - left:,} tournaments are in the series anew"
        + (f", {left:,} could not be read" if left else "")
    )
    return int(bool(left))


async def _collected(settings: Settings, records: Records) -> None:
    """All that waits, in this process. Raises StorageError."""
    archive, series = open_archive(settings), open_series(settings, keeps=True)
    try:
        await Collector(with_archive(records, archive), attempts_of(records), series).round()
    finally:
        await series.close()
        if archive is not None:
            await archive.close()


async def _followed(blocks: AttemptBlocks, there: int, working: asyncio.Task[None] | None) -> int:
    """Show how far it is, until nothing waits or nobody works on it; returns how many tournaments are left. Raises StorageError."""
    left, moved_s, told = there, time.monotonic(), False
    with progress(MofNCompleteColumn()) as bar:
        line = bar.add_task("tournaments", total=there)
        while left:
            done = working is not None and working.done()
            now = await blocks.anew()
            if now != left:
                left, moved_s = now, time.monotonic()
                bar.update(line, completed=there - left)
            if done:
                if working is not None:
                    working.result()
                return left
            if not told and time.monotonic() - moved_s > STANDS_STILL_S:
                told = True
                print(
                    "palio: nothing moves: is PALIO_ANALYTICS on, and do the series answer? See its log; still waiting",
                    file=sys.stderr,
                )
            if working is None:
                await asyncio.sleep(LOOK_S)
            else:
                await asyncio.wait([working], timeout=LOOK_S)
    return left
