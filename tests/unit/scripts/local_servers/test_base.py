from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from scripts.local_servers import base as servers_base
from scripts.local_servers.base import ServerError, launch, names, pid_of, stop, wait_until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers_base, "STOP_S", 0.3)
    pid = launch(tmp_path, "stubborn", [sys.executable, "-c", STUBBORN])
    wait_until(lambda: "ready" in (tmp_path / "logs" / "stubborn.log").read_text(), "it to be ready", 10)
    assert launch(tmp_path, "stubborn", ["never started"]) == pid
    began = time.monotonic()
    stop(tmp_path, "stubborn")
    assert 0.3 <= time.monotonic() - began < 5
    assert pid_of(tmp_path, "stubborn") is None
    assert names(tmp_path) == []
    stop(tmp_path, "stubborn")


def test_one_that_survives_is_told_and_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers_base, "STOP_S", 0.1)
    pid = launch(tmp_path, "survivor", ["sleep", "60"])
    kill = os.kill
    monkeypatch.setattr(os, "kill", lambda *_: None)
    with pytest.raises(ServerError, match=rf"survivor \(pid {pid}\)"):
        stop(tmp_path, "survivor")
    assert pid_of(tmp_path, "survivor") == pid
    kill(pid, signal.SIGKILL)
    wait_until(lambda: pid_of(tmp_path, "survivor") is None, "it to end", 5)


def test_a_pid_that_was_given_to_another_process_is_not_stopped(tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    (tmp_path / "pids" / "other.json").write_text(f'{{"pid": {os.getpid()}, "started": 1, "command": []}}')
    assert pid_of(tmp_path, "other") is None
    stop(tmp_path, "other")
    assert names(tmp_path) == []
