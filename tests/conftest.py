"""What several kinds of tests share: one running Palio for all that do not harm it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import NO_LIMITS, RunningPalio
from tests.support.small_disk import small_disk

TESTS = Path(__file__).parent


# The tests of these folders share what takes long to start, so one process runs all of a kind, see `pytest_collection_modifyitems`.
SHARING = {"contract": "servers", "e2e": "palio", "integration": "palio", "integration/cluster": "cluster"}


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in a hook of its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes run the tests (`scripts/test -n 2 --dist loadgroup`), a file's stay together, and those that share a Palio
    or the servers.

    With `--cov` tests/unit counts: the others take long as they are, and most of what they run is in other processes. Where those measure
    themselves (`make coverage`), all tests do.
    """
    for item in items:
        folder = item.path.parent.relative_to(TESTS).as_posix()
        item.add_marker(pytest.mark.xdist_group(SHARING.get(folder, str(item.path))))
        if not folder.startswith("unit") and "COVERAGE_PROCESS_START" not in os.environ:
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def palio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPalio]:
    """A Palio for the whole session, that gives out demo players."""
    data = tmp_path_factory.mktemp("palio") / "data"
    running = RunningPalio(data, PALIO_DEMO_PLAYERS="true", **NO_LIMITS).start()
    print(f"palio: ready in {running.started_in_s:.1f} s")
    yield running
    assert running.stop() == 0, "".join(running.output)


@pytest.fixture(name="small_disk")
def _small_disk() -> Iterator[Path]:
    """A file system of 4 MB."""
    with small_disk(4) as mounted:
        yield mounted
