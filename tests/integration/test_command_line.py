"""The commands of docs/command-line.md, as they stand there, against a whole Palio."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2

from cluster.config.settings import PROJECT_DIR
from tests.integration.conftest import create, join
from tests.support.fenced import fenced
from tests.support.running import RunningPalio, environment_of

# `scripts/palio` without its set-up of the virtual environment, which the tests already run in.
SHIM = f'#!/bin/sh\nexec {sys.executable} -P -m scripts.cli.palio "$@"\n'


def test_the_examples_of_the_document_run(palio: RunningPalio, tmp_path: Path) -> None:
    shim = tmp_path / "scripts" / "palio"
    shim.parent.mkdir()
    shim.write_text(SHIM, encoding="utf-8")
    shim.chmod(0o755)
    blocks = fenced(PROJECT_DIR / "docs" / "command-line.md", "sh")
    script = tmp_path / "all.sh"
    script.write_text("\n".join(["set -euo pipefail", *blocks, 'echo "ids $ID $RACE"']), encoding="utf-8")
    environment = {
        **environment_of({"PALIO_PORT": str(palio.port), "PALIO_DATA_DIR": str(palio.data)}),
        "PALIO_URL": palio.url,
        "PALIO_TOKEN": palio.token("service", 1),
        "NO_COLOR": "1",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        ["bash", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "user 42 takes part" in said
    assert "applied: score 912.50, rank 1" in said
    assert said.count("3 scores in the log, 0 rows not taken") == 2
    assert "1  102  46:40  " in said  # 2,799.5 s, shown without decimals
    assert "ignored: duplicate" in said
    assert "is finished" in said
    boards = [json.loads(line) for line in (tmp_path / "boards.ndjson").read_text().splitlines()]
    assert (boards[-1]["data"]["status"], boards[-1]["data"]["top"][0]["score"]) == ("finished", 930)
    with palio.client() as service:
        race = said.split("ids ")[1].split()[1]
        assert service.get(f"/v1/tournaments/{race}/participants/102").json()["attempts"] == 1


def test_watching_ends_by_ctrl_c(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    environment = environment_of({"PALIO_DATA_DIR": str(palio.data)})
    command = [
        sys.executable,
        "-P",
        "-m",
        "scripts.cli.palio",
        "watch",
        tournament,
        "--url",
        palio.url,
        "--data",
        str(palio.data),
    ]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        before = watching.stdout.readline()
        join(service, tournament, 42)
        after = watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        try:
            out, err = watching.communicate(timeout=30)
        finally:
            watching.kill()
    assert (before, after) == ("running  0 participants  -\n", "running  1 participant  -\n")
    assert (watching.returncode, out, err) == (0, "", "palio: stopped\n")
