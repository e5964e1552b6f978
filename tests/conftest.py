"""What several kinds of tests share: one running Palio for all that do not harm it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import NO_LIMITS, RunningPalio


@pytest.fixture(scope="session")
def palio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPalio]:
    """A Palio for the whole session, that gives out demo players."""
    data = tmp_path_factory.mktemp("palio") / "data"
    running = RunningPalio(data, PALIO_DEMO_PLAYERS="true", **NO_LIMITS).start()
    print(f"palio: ready in {running.started_in_s:.1f} s")
    yield running
    assert running.stop() == 0, "".join(running.output)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mounted)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)
