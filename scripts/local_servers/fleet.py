"""All real servers as one: started at once in a directory that remembers their ports, stopped by pid, looked at."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from scripts.local_servers.base import (
    STOP_S,
    Server,
    ServerError,
    names,
    pid_of,
    stop,
    wait_until,
    write_private,
)
from scripts.local_servers.influx import InfluxServer
from scripts.local_servers.kafka import KafkaServer
from scripts.local_servers.mysql import MysqlServers
from scripts.local_servers.redis import RedisClusterServer
from scripts.local_servers.smtp import SmtpServer

DEFAULT_FIRST_PORT: Final = 21_000
BLOCK: Final = 60  # ports, from the first one on
FACTS: Final = "servers.json"
LOCK_WAIT_S: Final = 120.0  # for another command on the same directory
MAX_MESSAGE_CHARS: Final = 600

Say = Callable[[str], None]


class Member(NamedTuple):
    """One of the servers; its ports begin at the block's + `offset`, and end before the next one's."""

    name: str
    kind: Callable[[], Server]
    offset: int


MEMBERS: tuple[Member, ...] = (
    Member("kafka", KafkaServer, 0),
    Member("redis-cluster", RedisClusterServer, 10),
    Member("mysql", MysqlServers, 30),
    Member("influx", InfluxServer, 40),
    Member("smtp", SmtpServer, 50),
)


class State(NamedTuple):
    """A server as it is: the pids of its processes (None: does not run), and what a client needs to know, if it was ever up."""

    name: str
    pids: dict[str, int | None]
    facts: dict[str, Any] | None

    @property
    def word(self) -> str:
        """running, partly running, stopped or never started."""
        if not self.pids:
            return "never started" if self.facts is None else "stopped"
        alive = sum(pid is not None for pid in self.pids.values())
        return "running" if alive == len(self.pids) else "partly running" if alive else "stopped"


class Fleet:
    """The servers of a directory. What clients need to know stands in its `servers.json` (for its owner alone), after `down` too."""

    def __init__(self, directory: Path, members: Sequence[Member]) -> None:
        self.directory = directory.absolute()
        self._members = members

    def up(self, first_port: int | None, say: Say) -> list[str]:
        """Start what does not run, all at once; what could not be started, one line each. Raises ServerError."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            notes = self._notes()
            first_port = self._block(notes, first_port)
            self._write(notes)
            troubles: list[str] = []
            ready = []
            for member in self._members:  # one after the other: the package manager lets only one in
                with _reporting(member.name, say, troubles):
                    server = member.kind()
                    server.install()
                    ready.append((member, server))

            def start(member: Member, server: Server) -> None:
                with _reporting(member.name, say, troubles):
                    running = self._state(member, notes).word == "running"
                    began = time.monotonic()
                    facts = server.start(self.directory, first_port + member.offset)
                    notes["servers"][member.name] = facts
                    say(f"{member.name}: {'runs already' if running else f'up in {time.monotonic() - began:.1f} s'}")

            _all_at_once([(start, (member, server)) for member, server in ready])
            self._write(notes)
        return troubles

    def down(self, say: Say, *, others: bool) -> list[str]:
        """Stop what runs, and what else was launched in the directory if `others`, and check that nothing of it is left; what could not
        be stopped, one line each. Raises ServerError.
        """
        if not self.directory.exists():
            say(f"nothing runs in {self.directory}")
            return []
        troubles: list[str] = []
        with self._alone():
            processes = {name: pid for state in self.states() for name, pid in state.pids.items()}
            if others:
                processes = {name: pid_of(self.directory, name) for name in names(self.directory)}
            if not any(processes.values()):
                say(f"nothing runs in {self.directory}")

            def end(name: str, pid: int | None) -> None:
                with _reporting(name, say, troubles):
                    began = time.monotonic()
                    stop(self.directory, name)
                    if pid is not None:
                        _end_session(pid)
                        say(f"{name}: down in {time.monotonic() - began:.1f} s")

            _all_at_once([(end, item) for item in processes.items()])
        return troubles

    def states(self) -> list[State]:
        """Each server as it is now. Raises ServerError when `servers.json` cannot be read."""
        notes = self._notes()
        return [self._state(member, notes) for member in self._members]

    def _state(self, member: Member, notes: dict[str, Any]) -> State:
        own = [name for name in names(self.directory) if name == member.name or name.startswith(f"{member.name}-")]
        return State(
            member.name, {name: pid_of(self.directory, name) for name in own}, notes["servers"].get(member.name)
        )

    def _block(self, notes: dict[str, Any], wanted: int | None) -> int:
        """The first port, fixed for the life of the directory: clusters and replicas keep each other's addresses in their data."""
        made: int = notes.setdefault("first_port", wanted or DEFAULT_FIRST_PORT)
        if wanted not in {None, made}:
            raise ServerError(
                f"{self.directory} was made with --first-port {made}, expected the same or another --data"
            )
        return made

    def _notes(self) -> dict[str, Any]:
        path = self.directory / FACTS
        try:
            notes: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            notes["servers"].items()
        except FileNotFoundError:
            return {"servers": {}}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ServerError(f"expected {path} to be readable, and as it was written: {error}") from error
        return notes

    def _write(self, notes: dict[str, Any]) -> None:
        path = self.directory / FACTS
        unfinished = path.with_suffix(".tmp")
        write_private(unfinished, json.dumps(notes, indent=2))
        unfinished.rename(path)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time on a directory. Raises ServerError."""
        with (self.directory / "lock").open("w") as file:

            def taken() -> bool:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True

            wait_until(taken, f"another command at work in {self.directory} to end", LOCK_WAIT_S)
            yield


def one_line(error: BaseException) -> str:
    """An error's message in one line; of a long one the beginning and the end, since it may hold the end of a log."""
    text = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, ServerError | OSError):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= MAX_MESSAGE_CHARS else f"{text[:150]} ... {text[150 - MAX_MESSAGE_CHARS :]}"


@contextlib.contextmanager
def _reporting(name: str, say: Say, troubles: list[str]) -> Iterator[None]:
    """Whatever goes wrong with one server is a line, and holds up no other."""
    try:
        yield
    except Exception as error:
        troubles.append(f"{name}: {one_line(error)}")
        say(f"{name}: failed")


def _all_at_once(calls: Sequence[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
    # Daemons: an interrupted command ends at once, and `down` finds what was started.
    threads = [threading.Thread(target=call, args=arguments, daemon=True) for call, arguments in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _end_session(leader: int) -> None:
    """End what a server has left behind, and see it gone: each was started as the leader of a session of its own. Raises ServerError."""

    def ended() -> bool:
        left = _session(leader)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    wait_until(ended, f"what process {leader} left behind to end", STOP_S)


def _session(leader: int) -> list[int]:
    """The processes of a session; a zombie is none."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found
