"""Whether log and records belong together, looked at before a start; on the embedded ones."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.config.settings import PROJECT_DIR, Settings
from cluster.errors import StartError
from cluster.startup.data_check import check_data, check_room
from cluster.startup.ports import open_log, open_records
from storage.ports import Checkpoint, NewRecord
from tests.contract.test_records import tournament

PARTITION = 3


def saved(settings: Settings, status: str, offset: int) -> None:
    """A tournament with a scope of its own, durable up to an offset; of the others nothing is durable yet."""

    async def save() -> None:
        records = await open_records(settings)
        row = tournament(77, offset, partition=PARTITION, dedicated=True, status=status)
        await records.save(Checkpoint([row], [], [], [], [("tournament-77", PARTITION, offset)]))
        await records.close()

    asyncio.run(save())


def appended(settings: Settings, count: int) -> None:
    async def append() -> None:
        log = open_log(settings)
        await log.append([NewRecord(PARTITION, b"77", b"x")] * count)
        await log.close()

    asyncio.run(append())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Palio's, with a log of five records and records that follow it."""
    settings = Settings(data_dir=tmp_path)
    check_data(settings)
    appended(settings, 5)
    return settings


def test_what_belongs_together_is_taken(settings: Settings) -> None:
    identity = check_data(settings)
    saved(settings, "running", 4)
    assert check_data(settings) == identity


def test_a_dedicated_tournament_beyond_the_end_of_the_log_is_told(settings: Settings) -> None:
    """Else records up to that offset, when they come, would pass it by: the log was restored from an older copy."""
    saved(settings, "running", 5)
    with pytest.raises(
        StartError, match="tournament-77 is durable up to offset 5, but the log of partition 3 ends at 4"
    ):
        check_data(settings)


def test_one_that_is_over_needs_no_log(settings: Settings) -> None:
    saved(settings, "finished", 5)
    check_data(settings)


def test_a_log_made_anew_is_told_where_only_a_dedicated_tournament_is_durable(settings: Settings) -> None:
    """Its offset would fit into the new log by chance."""
    saved(settings, "running", 2)
    for file in settings.data_dir.glob("log.db*"):
        file.unlink()
    appended(settings, 5)
    with pytest.raises(StartError, match="another log"):
        check_data(settings)


def fill(disk: Path) -> Path:
    """A file that leaves no byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_full_disk_is_told_before_anything_is_written(small_disk: Path) -> None:
    filler = fill(small_disk)
    with pytest.raises(StartError, match=r"^disk full: 0 bytes are left"):
        check_room(small_disk / "not" / "there")
    assert list(small_disk.iterdir()) == [filler]
    filler.unlink()
    check_room(small_disk)


def test_a_disk_that_filled_up_under_the_data_is_told_at_once(small_disk: Path) -> None:
    """What is there can be read, so only a write shows it."""
    settings = Settings(data_dir=small_disk / "data")
    check_data(settings)
    filler = fill(small_disk)
    with pytest.raises(StartError, match=r"^disk full: "):
        check_data(settings)
    filler.unlink()
    check_data(settings)


KILLED = """
import os
from tests.support.small_disk import small_disk
with small_disk(1) as disk:
    print(disk, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_small_disk_goes_with_the_process_that_made_it(small_disk: Path) -> None:
    """Of the tests' own means: a killed run leaves no mount behind."""
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=PROJECT_DIR, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    disk = Path(killed.stdout.strip())
    deadline = time.monotonic() + 30
    while disk.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not disk.exists()
    assert small_disk.is_mount()
