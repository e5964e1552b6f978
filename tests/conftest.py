"""What several kinds of tests share: one running Palio for all that do not harm it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.running import RunningPalio


@pytest.fixture(scope="session")
def palio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPalio]:
    """A Palio for the whole session. Limits of addresses are raised: all tests come from one."""
    data = tmp_path_factory.mktemp("palio") / "data"
    running = RunningPalio(data, PALIO_ANONYMOUS_RATE="5000", PALIO_ANONYMOUS_BURST="5000").start()
    yield running
    assert running.stop() == 0
