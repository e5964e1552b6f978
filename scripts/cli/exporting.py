"""`scripts/palio export`: a table as a file."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from rich.progress import DownloadColumn

from scripts.cli.connection import Commands, add_command, progress, say
from scripts.client.palio_client import PalioClient

ARCHIVE: Final = "archive"  # of a finished one; another call
SUFFIXES: Final = {
    ARCHIVE: "parquet",
    "csv": "csv",
    "parquet": "parquet",
    "iof": "xml",
    "ctftime": "json",
    "clics": "json",
    "gradebook": "csv",
}
RETRY_FOR_S: Final = 60.0


def add_export(commands: Commands) -> None:
    """The command."""
    command = add_command(
        commands,
        "export",
        export_table,
        shows="write a table to a file",
        description="Write the table of a tournament to a file: those with a rank, all of one moment; or the archive's file of a finished one "
        "(`archive`, all of it). docs/formats.md says what each format holds. Prints the file's name, alone on the last line; the file is there "
        "once it is whole.",
        example="scripts/palio export 5391764025117638656 --format parquet --out results.parquet",
        json=False,
        retry_for_s=RETRY_FOR_S,
    )
    command.add_argument("tournament", metavar="TOURNAMENT", help="its id")
    command.add_argument("--format", choices=tuple(SUFFIXES), default="csv", help="default: csv")
    command.add_argument("--system", choices=("moodle", "canvas"), default=None, help="whose gradebook")
    command.add_argument(
        "--out",
        type=Path,
        default=None,
        metavar="FILE",
        help="where to, over what is there (default: TOURNAMENT.csv and the like, a new file)",
    )


async def export_table(palio: PalioClient, options: argparse.Namespace) -> int:
    """Write the file. Raises ValueError where it cannot be written."""
    target = options.out or Path(f"{options.tournament}.{SUFFIXES[options.format]}")
    if options.out is None and target.exists():
        raise ValueError(f"{target} is there already; `--out {target}` writes over it")
    call, params = f"/v1/tournaments/{options.tournament}/export", {"format": options.format}
    if options.system:
        params["system"] = options.system
    if options.format == ARCHIVE:
        call, params = f"/v1/tournaments/{options.tournament}/archive", {}
    try:
        with _written(target) as file, progress(DownloadColumn()) as shown:
            task = shown.add_task(target.name, total=None)
            await palio.download(
                call,
                file,
                params=params,
                told=lambda done, total: shown.update(task, completed=done, total=total),
            )
    except OSError as error:
        raise ValueError(f"{target}: cannot be written: {error.strerror or error}") from None
    say(f"palio: {target.stat().st_size:,} bytes")
    print(target)
    return 0


@contextmanager
def _written(target: Path) -> Iterator[BinaryIO]:
    """A file that is `target` once it is whole, and nothing before."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    beside = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open
            yield file
        beside.chmod(0o666 & ~_umask())
        beside.replace(target)
    except BaseException:
        beside.unlink()
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
