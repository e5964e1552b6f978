"""What the starters of real servers share: installing, launching by pid file, waiting, stopping by pid. Loopback only.

A starter (`kafka.py`, `redis.py`, ...) is a class with `name`, `install()` and `start(directory, first_port)`, which
returns what a client needs to know (addresses, credentials) as JSON values. Everything it makes lies below `directory`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

HOST: Final = "127.0.0.1"
STOP_S: Final = 20.0  # a server gets this long after SIGTERM
LOG_TAIL_CHARS: Final = 2000
T = TypeVar("T")


class ServerError(Exception):
    """A server cannot be installed or started; the message says what is missing, or the end of its log."""


class Server(Protocol):
    """See the module."""

    name: str

    def install(self) -> None:
        """Install what is missing. Raises ServerError naming what to install by hand."""

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        """Start on ports from `first_port` on, and wait until it answers; what runs already is left alone. Raises ServerError."""


def ensure_program(program: str, package: str) -> str:
    """The path of a program, installed with apt as root where it is missing. Raises ServerError."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        lock_wait = ["-o", "DPkg::Lock::Timeout=300"]  # another installation may be under way
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *lock_wait, package]
        subprocess.run(install, check=False, capture_output=True, env=environment)
        found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise ServerError(f"expected the program {program} to be installed (Debian: apt install {package})")
    return found


def launch(directory: Path, name: str, command: Sequence[str], env: dict[str, str] | None = None) -> int:
    """Start `name` in a session of its own, its output in `logs/<name>.log`; returns the pid. One that runs already is left alone."""
    running = pid_of(directory, name)
    if running is not None:
        return running
    for folder in ("pids", "logs"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    with (directory / "logs" / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, start_new_session=True
        )
    note = {"pid": process.pid, "started": _started(process.pid), "command": list(command)}
    (directory / "pids" / f"{name}.json").write_text(json.dumps(note), encoding="utf-8")
    return process.pid


def pid_of(directory: Path, name: str) -> int | None:
    """The pid of `name` if that very process runs (a pid given to another since does not count)."""
    try:
        note = json.loads((directory / "pids" / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return note["pid"] if note["started"] is not None and note["started"] == _started(note["pid"]) else None


def names(directory: Path) -> list[str]:
    """The servers that were launched in a directory, whether or not they run."""
    return sorted(path.stem for path in (directory / "pids").glob("*.json"))


def stop(directory: Path, name: str, sign: signal.Signals = signal.SIGTERM) -> None:
    """Stop one by pid, with SIGKILL after STOP_S; what does not run is fine. Raises ServerError for one that survives even that."""
    pid = pid_of(directory, name)
    for last in (sign, signal.SIGKILL):
        if pid is None:
            break
        with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
            os.kill(pid, last)
        deadline = time.monotonic() + STOP_S
        while pid_of(directory, name) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        pid = pid_of(directory, name)
    if pid is not None:
        raise ServerError(f"expected {name} (pid {pid}) to end within {2 * STOP_S:g} s, and after SIGKILL")
    (directory / "pids" / f"{name}.json").unlink(missing_ok=True)


def wait_until(check: Callable[[], T], what: str, within_s: float = 60.0) -> T:
    """What `check` returns once it is true and raises no OSError. Raises ServerError."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            result, trouble = check(), ""
        except OSError as error:
            result, trouble = None, f": {error}"
        if result:
            return result
        if time.monotonic() > deadline:
            raise ServerError(f"expected {what} within {within_s:g} s{trouble}")
        time.sleep(0.1)


def wait_for_answer(directory: Path, name: str, answers: Callable[[], object], within_s: float = 60.0) -> None:
    """Until `answers` is true and raises no OSError. Raises ServerError, with the end of the server's log when it has ended."""

    def asked() -> object:
        if pid_of(directory, name) is None:
            log = (directory / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            raise ServerError(f"{name} ended at once; the end of its log: {log[-LOG_TAIL_CHARS:].strip()}")
        return answers()

    wait_until(asked, f"{name} to answer (its log: logs/{name}.log)", within_s)


def write_private(path: Path, text: str) -> None:
    """Only its owner may read it, from the first byte."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def listens(port: int) -> bool:
    """Whether somebody listens on a port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it does not run (a zombie does not)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] != "Z":
        return int(fields[19])
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own child: let it go
    return None
