from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from serve_app.metrics import PortMetrics
from serve_app.services import container as services
from tests.support.front import open_front

ROOT = Path(__file__).parents[3]
COUNT = """
from serve_app.metrics import ACCEPTED, SOCKETS, SUBMISSION_SECONDS
ACCEPTED.labels(entrypoint="gateway", kind="score").inc(3)
SUBMISSION_SECONDS.labels(entrypoint="gateway").observe(0.003)
SOCKETS.inc(2)
"""
SHOW = """
from serve_app.metrics import exposition
print(exposition()[0].decode())
"""


def value(name: str) -> float:
    found = REGISTRY.get_sample_value(f"palio_{name}")
    assert found is not None, name
    return found


def run(code: str, directory: Path) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_counts_of_all_processes_are_added_up(tmp_path: Path) -> None:
    for _ in range(2):
        run(COUNT, tmp_path)
    shown = run(SHOW, tmp_path).splitlines()
    assert 'palio_accepted_total{entrypoint="gateway",kind="score"} 6.0' in shown
    assert 'palio_submission_seconds_bucket{entrypoint="gateway",le="0.005"} 2.0' in shown
    assert 'palio_submission_seconds_bucket{entrypoint="gateway",le="0.0025"} 0.0' in shown


def test_the_sockets_of_a_process_that_is_gone_are_not_counted(tmp_path: Path) -> None:
    run(COUNT, tmp_path)  # it has ended, as one that was killed: nobody has marked it dead
    shown = run(SHOW, tmp_path)
    assert "palio_sockets 2.0" not in shown
    assert 'palio_accepted_total{entrypoint="gateway",kind="score"} 3.0' in shown
    assert "palio_sockets 2.0" in run(COUNT + SHOW, tmp_path)


def test_what_ray_counts_in_the_same_directory_is_not_shown(tmp_path: Path) -> None:
    run("from prometheus_client import Counter; Counter('ray_things_total', 'Of Ray.').inc()" + COUNT, tmp_path)
    shown = run(SHOW, tmp_path)
    assert "palio_accepted_total" in shown
    assert "ray_things" not in shown


def test_what_waits_for_the_log_and_what_updates_and_series_lost_is_told() -> None:
    def shown() -> list[float]:
        return [value(name) for name in ("log_queued_records", "lost_publications_total", "dropped_points_total")]

    log, updates, series = SimpleNamespace(queued=7), SimpleNamespace(lost_publications=2), SimpleNamespace(dropped=5)
    _, lost, dropped = shown()
    metrics = PortMetrics(log, updates, series)
    for _ in range(2):
        metrics.update()
        assert shown() == [7, lost + 2, dropped + 5]
    log.queued, updates.lost_publications, series.dropped = 0, 3, 9
    metrics.update()
    assert shown() == [0, lost + 3, dropped + 9]
    PortMetrics(log, SimpleNamespace(lost_publications=0)).update()
    assert shown() == [0, lost + 3, dropped + 9]


def test_the_depths_of_all_processes_are_added_up_and_those_of_a_process_that_is_gone_are_not(tmp_path: Path) -> None:
    count = "from serve_app.metrics import LOG_QUEUED, LOST_PUBLICATIONS; LOG_QUEUED.set(4); LOST_PUBLICATIONS.inc(2)\n"
    run(count, tmp_path)
    shown = run(count + SHOW, tmp_path).splitlines()
    assert "palio_log_queued_records 4.0" in shown
    assert "palio_lost_publications_total 4.0" in shown


async def test_a_front_measures_its_ports_while_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MEASURE_EVERY_S", 0.01)

    def lost() -> float:
        return value("lost_publications_total")

    async with open_front() as front:
        before = lost()
        front.palio.updates.lost_publications = 3
        async with asyncio.timeout(5):
            while lost() != before + 3:
                await asyncio.sleep(0.01)
        watching = front.services.watching
        assert "palio_log_queued_records 0.0" in (await front.call("GET", "/metrics")).text
    await asyncio.wait(watching, timeout=5)
    assert all(task.cancelled() for task in watching)
