"""Seeded worlds: whatever goes wrong on the way, every record counts exactly once and the store says what the log says."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.simulation.simulate import Course, simulate

SEEDS = 1000
CHUNK = 50


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The parts warn of every fault, which is what this is made of."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        seed = metafunc.config.getoption("--seed", None)
        count = metafunc.config.getoption("--seeds", None) or SEEDS
        chunks = [range(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK)] if seed is None else [[seed]]
        metafunc.parametrize("seeds", chunks, ids=[f"{chunk[0]}-{chunk[-1]}" for chunk in chunks])


def run(seed: int) -> Course:
    try:
        return simulate(seed)
    except Exception as error:
        raise AssertionError(f"seed {seed} failed; replay it: scripts/test tests/simulation --seed {seed}") from error


def test_worlds(seeds: list[int] | range) -> None:
    for seed in seeds:
        course = run(seed)
        if len(seeds) == 1:
            print("\n".join(course.recent))
            print(f"{course.records} records, {course.updates} updates, {course.faults} faults, {course.fingerprint}")
        if course.problems:
            promises = "\n  ".join(course.problems)
            pytest.fail(f"seed {seed}; replay it: scripts/test tests/simulation --seed {seed}\n  {promises}")


def test_a_seed_always_takes_the_same_course() -> None:
    for seed in range(5):
        assert run(seed).fingerprint == run(seed).fingerprint
    assert len({run(seed).fingerprint for seed in range(5)}) == 5


def test_another_process_takes_the_same_course() -> None:
    """Python orders sets of texts differently in each process; nothing may follow that order."""
    code = "from tests.simulation.simulate import simulate; print(simulate(6).fingerprint)"
    found = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
