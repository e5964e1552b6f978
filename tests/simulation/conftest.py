"""Options of the simulator: `scripts/test tests/simulation --seed N` replays one seed, `--seeds N` runs more of them."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simulation")
    group.addoption("--seed", type=int, default=None, help="replay this seed of the simulator, with its trace")
    group.addoption("--seeds", type=int, default=None, help="how many seeds of the simulator to run (1000)")
