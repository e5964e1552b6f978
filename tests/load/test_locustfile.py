"""Locust patches sockets and threads when it is imported, so it is tried in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

LOCUSTFILE = Path(__file__).parent / "locustfile.py"


def locust(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOAD_", "LOCUST_"))}
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *arguments]
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=120)


def test_locust_finds_the_players() -> None:
    done = locust("--list")
    assert done.returncode == 0, done.stderr
    assert "Player" in done.stdout


def test_the_options_of_our_own_are_known() -> None:
    assert locust("--list", "--token", "x", "--tournament", "5").returncode == 0
    assert locust("--list", "--tokenn", "x").returncode != 0


def test_without_a_token_it_says_what_is_missing() -> None:
    done = locust("--headless", "-u", "1", "-t", "5s")
    assert done.returncode != 0
    assert "expected --token or LOAD_TOKEN" in done.stdout + done.stderr
