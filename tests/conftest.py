"""What several kinds of tests share: one running Palio for all that do not harm it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.running import NO_LIMITS, RunningPalio
from tests.support.small_disk import small_disk

# A busy machine is no finding. In CI hypothesis has a profile of its own, which says so, too, and draws the same examples each time.
if settings.get_current_profile_name() == "default":
    settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--cov` tests/unit counts: the others take long as they are, and most of what they run is in other processes. Where those measure
    themselves (`make coverage`), all tests do."""
    if "COVERAGE_PROCESS_START" not in os.environ:
        for item in items:
            if "unit" not in item.path.parts:
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
