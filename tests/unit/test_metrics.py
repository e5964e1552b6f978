from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COUNT = """
from serve_app.metrics import ACCEPTED, SOCKETS, SUBMISSION_SECONDS
ACCEPTED.labels(door="gateway", kind="score").inc(3)
SUBMISSION_SECONDS.labels(door="gateway").observe(0.003)
SOCKETS.inc(2)
"""
SHOW = """
from serve_app.metrics import exposition
print(exposition()[0].decode())
"""


def run(code: str, directory: Path) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_counts_of_all_processes_are_added_up(tmp_path):
    for _ in range(2):
        run(COUNT, tmp_path)
    shown = run(SHOW, tmp_path).splitlines()
    assert 'palio_accepted_total{door="gateway",kind="score"} 6.0' in shown
    assert 'palio_submission_seconds_bucket{door="gateway",le="0.005"} 2.0' in shown
    assert 'palio_submission_seconds_bucket{door="gateway",le="0.0025"} 0.0' in shown


def test_the_sockets_of_a_process_that_is_gone_are_not_counted(tmp_path):
    run(COUNT, tmp_path)  # it has ended, as one that was killed: nobody has marked it dead
    shown = run(SHOW, tmp_path)
    assert "palio_sockets 2.0" not in shown
    assert 'palio_accepted_total{door="gateway",kind="score"} 3.0' in shown
    assert "palio_sockets 2.0" in run(COUNT + SHOW, tmp_path)


def test_what_ray_counts_in_the_same_directory_is_not_shown(tmp_path):
    run("from prometheus_client import Counter; Counter('ray_things_total', 'Of Ray.').inc()" + COUNT, tmp_path)
    shown = run(SHOW, tmp_path)
    assert "palio_accepted_total" in shown
    assert "ray_things" not in shown
