from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.local_servers import cli as servers_cli
from scripts.local_servers import fleet as servers_fleet
from scripts.local_servers.base import launch, listens, pid_of
from scripts.local_servers.cli import main
from scripts.local_servers.fleet import MEMBERS, Member
from tests.support.servers_http import BrokenServer, HttpServers, MissingServer
from tests.support.servers_influx import free_ports

WEB = Member("web", HttpServers, 0)
MISSING = Member("missing", MissingServer, 10)
Run = Callable[..., tuple[int, str, str]]
Use = Callable[..., None]
BROKEN = Member("broken", BrokenServer, 20)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "servers"
    yield directory
    for file in (directory / "pids").glob("*.json"):
        os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> Use:
    def use(*chosen: Member) -> None:
        monkeypatch.setattr(servers_cli, "MEMBERS", chosen)

    use(WEB)
    return use


@pytest.fixture
def run(directory: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; (exit status, stdout, stderr)."""

    def run(command: str, *options: str) -> tuple[int, str, str]:
        status = main([command, *options, "--data", str(directory)])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def port() -> int:
    return free_ports(30)


def answers(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
        return bool(response.status == 200)


def processes_of(session: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def test_up_status_down_and_up_again(run: Run, members: Use, directory: Path, port: int) -> None:
    status, out, err = run("up", "--first-port", str(port))
    assert status == 0
    assert answers(port)
    assert answers(port + 1)
    assert out.splitlines()[:2] == ["web: running", f"  urls http://127.0.0.1:{port} http://127.0.0.1:{port + 1}"]
    assert f"  parts.1.port {port + 1}" in out.splitlines()
    assert "  password s3cret" in out.splitlines()
    assert "web: up in " in err

    facts = directory / "servers.json"
    assert stat.S_IMODE(facts.stat().st_mode) == 0o600
    assert json.loads(facts.read_text())["servers"]["web"]["password"] == "s3cret"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    shown = json.loads(run("status", "--json")[1])
    pids = shown["servers"]["web"].pop("pids")
    assert shown["servers"]["web"].pop("state") == "running"
    assert shown["servers"]["web"] == json.loads(facts.read_text())["servers"]["web"]
    sessions = {name: processes_of(pid) for name, pid in pids.items()}
    assert [len(found) for found in sessions.values()] == [2, 1]

    status, out, err = run("up", "--json")
    assert status == 0
    assert json.loads(out)["servers"]["web"]["pids"] == pids
    assert err == "web: runs already\n"

    assert run("down")[0] == 0
    assert not any(processes_of(pid) for pid in pids.values())
    assert not listens(port)
    assert run("status")[1].startswith("web: stopped\n")
    assert run("down") == (0, "", f"nothing runs in {directory}\n")

    assert run("up")[0] == 0, "on the ports that the directory was made with"
    assert answers(port)
    assert run("down")[0] == 0


def test_one_that_was_killed_is_started_again_and_the_others_are_left_alone(run: Run, members: Use, port: int) -> None:
    run("up", "--first-port", str(port))
    before = json.loads(run("status", "--json")[1])["servers"]["web"]["pids"]
    os.kill(before["web-1"], signal.SIGKILL)
    while processes_of(before["web-1"]):
        time.sleep(0.01)
    shown = json.loads(run("status", "--json")[1])["servers"]["web"]
    assert shown["state"] == "partly running"
    assert shown["pids"] == {**before, "web-1": None}
    assert run("up")[0] == 0
    after = json.loads(run("status", "--json")[1])["servers"]["web"]["pids"]
    assert after["web-0"] == before["web-0"]
    assert answers(port + 1)
    run("down")


def test_what_fails_is_one_line_each_and_holds_up_no_other(run: Run, members: Use, port: int) -> None:
    members(MISSING, BROKEN, WEB)
    status, out, err = run("up", "--first-port", str(port))
    assert status == 1
    assert answers(port)
    reasons = [line for line in err.splitlines() if line.startswith("servers: ")]
    assert len(reasons) == 2
    assert "servers: missing: expected the program missingd to be installed (Debian: apt install missing)" in reasons
    broken = next(line for line in reasons if line.startswith("servers: broken: broken ended at once"))
    assert broken.endswith("the reason")
    assert len(broken) < 700
    assert "web: running" in out.splitlines()
    assert run("down")[0] == 0


def test_only_what_is_named_is_touched(run: Run, members: Use, directory: Path, port: int) -> None:
    members(WEB, BROKEN, Member("web-two", HttpServers, 10))
    status, out, _ = run("up", "--only", "web", "--first-port", str(port))
    assert status == 0
    assert "broken" not in out
    assert run("down", "--only", "broken")[0] == 0
    assert answers(port)
    launch(directory, "another", ["sleep", "60"])
    assert run("down")[0] == 0
    assert pid_of(directory, "another") is None


def test_nothing_there_is_fine_and_nothing_is_made(run: Run, members: Use, directory: Path) -> None:
    assert run("status") == (0, "web: never started\n", "")
    assert run("down") == (0, "", f"nothing runs in {directory}\n")
    assert not directory.exists()


def test_the_ports_of_a_directory_are_fixed(run: Run, members: Use, port: int) -> None:
    run("up", "--first-port", str(port))
    status, _, err = run("up", "--first-port", str(port + 100))
    assert status == 1
    assert f"was made with --first-port {port}" in err
    assert err.count("\n") == 1
    run("down")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"servers": 1}'])
def test_a_damaged_note_is_one_line(run: Run, members: Use, directory: Path, text: str) -> None:
    directory.mkdir()
    (directory / "servers.json").write_text(text)
    for command in ("up", "status", "down"):
        status, out, err = run(command)
        assert (status, out) == (1, "")
        assert f"expected {directory}/servers.json to be readable" in err
        assert err.count("\n") == 1


def test_a_directory_that_cannot_be_made_is_one_line(run: Run, members: Use, directory: Path) -> None:
    directory.write_text("a file")
    status, _, err = run("up")
    assert status == 1
    assert err.count("\n") == 1
    assert str(directory) in err
    directory.unlink()


def test_commands_on_a_directory_take_turns_and_do_not_wait_for_ever(
    run: Run,
    members: Use,
    directory: Path,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers_fleet, "LOCK_WAIT_S", 0.3)
    directory.mkdir()
    with (directory / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        status, _, err = run("up", "--first-port", str(port))
        assert status == 1
        assert "another command at work" in err
        monkeypatch.setattr(servers_fleet, "LOCK_WAIT_S", 30)
        timer = threading.Timer(0.3, fcntl.flock, (held, fcntl.LOCK_UN))
        timer.start()
        assert run("up", "--first-port", str(port))[0] == 0
        timer.join()
    run("down")


@pytest.mark.parametrize("options", [["--first-port", "80"], ["--first-port", "x"], ["--only", "nothing"], []])
def test_misuse_is_status_2(
    members: Use, options: list[str] | list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["up", *options] if options else [])
    assert "Traceback" not in capsys.readouterr().err


def test_names_and_port_blocks_do_not_overlap() -> None:
    offsets = [member.offset for member in MEMBERS]
    assert offsets == sorted(set(offsets))
    assert offsets[-1] < servers_fleet.BLOCK
    names = [member.name for member in MEMBERS]
    assert not any(a != b and b.startswith(f"{a}-") for a in names for b in names)
    for member in MEMBERS:
        assert member.kind().name == member.name


def test_a_port_in_use_is_told_by_name(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_ports(60)))
        taken.listen()
        first = taken.getsockname()[1] - 40
        command = [
            sys.executable,
            "-P",
            "-m",
            "scripts.local_servers.cli",
            "up",
            "--only",
            "influx",
            "--first-port",
            str(first),
        ]
        root = Path(__file__).parents[4]
        done = subprocess.run(
            [*command, "--data", str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert f"servers: influx: expected port {first + 40} to be free for influx" in done.stderr
