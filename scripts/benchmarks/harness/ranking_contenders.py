"""Who takes part in the ranking benchmark: Palio, a Redis server of our own, sortedcontainers."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import hiredis
import psutil
import redis
from sortedcontainers import SortedList

from actors.domain.ranking.ranking import Ranking
from actors.domain.ranking.user_map import UserMap
from actors.owner.applier import RANKS_IN_BULK

# hiredis' own annotation names a tuple of one; it packs any number.
pack_command = cast("Callable[[tuple[str | int, ...]], bytes]", hiredis.pack_command)


class Contender:
    """Something that ranks users by score, highest first."""

    name: str

    def write(self, users: list[int], scores: list[int]) -> None:
        """Apply a batch."""
        raise NotImplementedError

    def write_and_rank(self, users: list[int], scores: list[int]) -> None:
        """Apply a batch of known users, and look up the rank of each."""
        raise NotImplementedError

    def cpu_s(self) -> float:
        """CPU seconds used so far: this process's, unless it works elsewhere."""
        return time.process_time()


class Palio(Contender):
    """`Ranking` with its `UserMap`, as an owner uses them."""

    name = "Palio"

    def __init__(self) -> None:
        self.users = UserMap()
        self.ranking = Ranking(descending=True, ties="first")

    def write(self, users: list[int], scores: list[int]) -> None:
        """See `Contender`. Members come one by one, and so do their scores."""
        slot, place = self.users.add, self.ranking.place
        for user, score in zip(users, scores, strict=True):
            place(slot(user), score)

    def write_and_rank(self, users: list[int], scores: list[int]) -> None:
        """See `Contender`. As the applier does: a rank is that before the write, from a few on looked up together."""
        if len(users) < RANKS_IN_BULK:
            for user, score in zip(users, scores, strict=True):
                slot = self.users.slot(user)
                self.ranking.rank(slot)
                self.ranking.place(slot, score)
            return
        slots = self.users.slots(users)
        self.ranking.ranks(slots)
        place = self.ranking.place
        for slot, score in zip(slots.tolist(), scores, strict=True):
            place(slot, score)


class SortedListAndDict(Contender):
    """sortedcontainers: (negated score, tie, user) in a SortedList, and a dict to find a user's entry."""

    name = "SortedList + dict"

    def __init__(self) -> None:
        self.order = SortedList()
        self.entries: dict[int, tuple[int, int, int]] = {}
        self.tie = 0

    def write(self, users: list[int], scores: list[int]) -> None:
        """See `Contender`."""
        for user, score in zip(users, scores, strict=True):
            before = self.entries.get(user)
            if before is not None:
                self.order.remove(before)
            self.tie += 1
            self.entries[user] = entry = (-score, self.tie, user)
            self.order.add(entry)

    def write_and_rank(self, users: list[int], scores: list[int]) -> None:
        """See `Contender`."""
        self.write(users, scores)
        for user in users:
            self.order.index(self.entries[user])


class Redis(Contender):
    """A sorted set in a server of our own, without persistence."""

    name = "Redis"

    def __init__(self, path: str) -> None:
        self.client = redis.Redis(unix_socket_path=path)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.client.flushall()

    def write(self, users: list[int], scores: list[int]) -> None:
        """See `Contender`."""
        self._pipeline([("ZADD", "t", score, user) for user, score in zip(users, scores, strict=True)])

    def write_and_rank(self, users: list[int], scores: list[int]) -> None:
        """See `Contender`."""
        writes = [("ZADD", "t", score, user) for user, score in zip(users, scores, strict=True)]
        self._pipeline(writes + [("ZREVRANK", "t", user) for user in users])

    def cpu_s(self) -> float:
        """See `Contender`."""
        used = cast("dict[str, float]", self.client.info("cpu"))
        return used["used_cpu_user"] + used["used_cpu_sys"]

    def used_memory(self) -> int:
        """Bytes the server holds."""
        return int(cast("dict[str, int]", self.client.info("memory"))["used_memory"])

    def _pipeline(self, commands: Sequence[tuple[str | int, ...]]) -> None:
        self.socket.sendall(b"".join(map(pack_command, commands)))
        replies, reader = 0, hiredis.Reader()
        while replies < len(commands):
            reader.feed(self.socket.recv(1 << 16))
            while (reply := reader.gets()) is not False:
                if isinstance(reply, Exception):
                    raise reply
                replies += 1


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """A redis-server on a unix socket in a temporary directory, on the last core; this process on the first."""
    server = shutil.which("redis-server")
    if server is None:
        raise SystemExit("bench_ranking needs redis-server on the PATH")
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "redis.sock"))
        process = subprocess.Popen(
            [server, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            psutil.Process(process.pid).cpu_affinity(cores[-1:])
            os.sched_setaffinity(0, cores[:1])
            deadline = time.monotonic() + 10
            while not Path(path).exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("redis-server did not start")
                time.sleep(0.05)
            yield path
        finally:
            os.sched_setaffinity(0, cores)
            process.terminate()
            process.wait(10)
