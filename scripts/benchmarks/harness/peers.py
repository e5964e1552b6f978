"""Other servers beside which Palio is measured: how they are asked, and the CPU time of their processes."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import psutil

from scripts.benchmarks.harness.client_process import heard, tell
from scripts.benchmarks.harness.contest import Contest, single_scores
from scripts.benchmarks.harness.http_load import HOST, Load, Pool, closed_loop, request
from scripts.benchmarks.harness.live.socket import PING, PONG, TEXT, LiveSocket, Subscriber

NAKAMA_TOURNAMENTS: Final = 200  # as docs/benchmarks.md has Nakama make them: bench-0 to bench-199
NAKAMA_USERS: Final = 400
SETUP_CONNECTIONS: Final = 16
PUBLISH_EVERY_S: Final = 0.05  # as often as Palio updates a tournament at most
CHANNEL: Final = "bench"
# About as long as Palio's update of one changed row.
PUBLICATION: Final = {"channel": CHANNEL, "data": {"seq": 10**6, "patch": "x" * 150}}


class Peer(NamedTuple):
    """A server on this machine: its port, a key if it wants one, and its processes (those of its database, too)."""

    port: int
    key: str
    pids: tuple[int, ...]

    @classmethod
    def of(cls, url: str, key: str, pids: str) -> Peer:
        """Read options. Raises ValueError for what is not on this machine, or has no processes."""
        parts = urlsplit(url)
        if parts.hostname != HOST or parts.port is None or not pids:
            raise ValueError(f"expected http://{HOST}:PORT with the ids of its processes, got {url!r} and {pids!r}")
        return cls(parts.port, key, tuple(int(pid) for pid in pids.split(",")))

    def cpu_s(self) -> float:
        """CPU seconds used so far by its processes and their descendants."""
        found = {pid: psutil.Process(pid) for pid in self.pids}
        for process in list(found.values()):
            found |= {child.pid: child for child in process.children(recursive=True)}
        return sum(sum(process.cpu_times()[:2]) for process in found.values())


# Nakama's REST calls (its tournaments are made by a runtime module, see docs/benchmarks.md)


async def nakama_users(port: int, key: str) -> list[str]:
    """Tokens of so many users, made where they are new."""
    pool = Pool(port, SETUP_CONNECTIONS)
    basic = base64.b64encode(f"{key}:".encode()).decode()

    async def sign_in(number: int) -> str:
        body = json.dumps({"id": f"palio-bench-device-{number:05d}"}).encode()
        path, header = "/v2/account/authenticate/device?create=true", f"Authorization: Basic {basic}\r\n"
        answer = await pool.ask(request("POST", path, body=body, more=header))
        if answer.status != 200:
            raise RuntimeError(f"expected 200 of Nakama, got {answer.status} {answer.body!r}")
        token: str = json.loads(answer.body)["token"]
        return token

    tokens = await asyncio.gather(*(sign_in(number) for number in range(NAKAMA_USERS)))
    pool.close()
    return list(tokens)


def nakama_scores(tokens: list[str], seed: int) -> Callable[[], bytes]:
    """Random scores of random users in random tournaments."""
    rng = random.Random(seed)

    def make() -> bytes:
        body = b'{"score":"%d"}' % rng.randrange(1_000_000)
        path = f"/v2/tournament/bench-{rng.randrange(NAKAMA_TOURNAMENTS)}"
        return request("PUT", path, token=rng.choice(tokens), body=body)

    return make


def nakama_joins(tokens: list[str], first: int) -> Callable[[], bytes]:
    """Joins, each pair of user and tournament once."""
    numbers = itertools.count(first)

    def make() -> bytes:
        tournament, user = divmod(next(numbers), len(tokens))
        return request("POST", f"/v2/tournament/bench-{tournament % NAKAMA_TOURNAMENTS}/join", token=tokens[user])

    return make


def nakama_views(tokens: list[str]) -> Callable[[], bytes]:
    """The first 20 rows of each tournament in turn."""
    paths = itertools.cycle(range(NAKAMA_TOURNAMENTS))
    return lambda: request("GET", f"/v2/tournament/bench-{next(paths)}?limit=20", token=tokens[0])


# The same of Palio


def palio_joins(contest: Contest, token: str, first: int) -> Callable[[], bytes]:
    """Joins of users who are new."""
    numbers = itertools.count(first)
    tournaments = itertools.cycle(contest.tournaments)
    return lambda: request(
        "PUT", f"/v1/tournaments/{next(tournaments)}/participants/{next(numbers)}", token=token, body=b"{}"
    )


def palio_views(contest: Contest) -> Callable[[], bytes]:
    """Each tournament in turn."""
    paths = itertools.cycle(contest.tournaments)
    return lambda: request("GET", f"/v1/tournaments/{next(paths)}")


# Loads, each in a process of its own


async def load_nakama(what: str, port: int, tokens: list[str], clients: int, seconds: float, turn: int) -> Load:
    """`what`: scores, joins or views."""
    makers = {
        "scores": lambda: nakama_scores(tokens, turn),
        "joins": lambda: nakama_joins(tokens, turn * 10_000),
        "views": lambda: nakama_views(tokens),
    }
    return await closed_loop(port, clients, makers[what](), seconds)


async def load_palio(
    what: str, port: int, contest: Contest, tokens: dict[int, str], clients: int, seconds: float, turn: int
) -> Load:
    """The same."""
    makers = {
        "scores": lambda: single_scores(contest, tokens, turn),
        "joins": lambda: palio_joins(contest, tokens[1], 10**9 + turn * 10**6),
        "views": lambda: palio_views(contest),
    }
    return await closed_loop(port, clients, makers[what](), seconds)


# Fan-out


class CentrifugoSubscriber(LiveSocket):
    """A client of Centrifugo's JSON protocol. `frames` counts publications."""

    handshake = LiveSocket.handshake.replace(b"/v1/live", b"/connection/websocket").replace(
        b"Sec-WebSocket-Protocol: palio.v1\r\n", b""
    )
    frames = 0

    def __init__(self) -> None:
        super().__init__()
        self.watching: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_open(self) -> None:
        """Connect and subscribe."""
        self.send(TEXT, b'{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"%b"}}' % CHANNEL.encode())

    def on_refused(self, answer: str) -> None:
        """Whoever waits hears of it."""
        self.watching.set_exception(RuntimeError(f"expected 101, got {answer}"))

    def on_frame(self, kind: int, payload: bytes) -> None:
        """Answers, publications and pings."""
        if kind == PING:
            self.send(PONG, payload)
        elif payload.strip() == b"{}":
            self.send(TEXT, b"{}")
        self.frames += payload.count(b'"pub":')
        if not self.watching.done():
            if b'"error"' in payload:
                self.watching.set_exception(RuntimeError(f"Centrifugo refused: {payload!r}"))
            elif b'"id":2' in payload:
                self.watching.set_result(None)


class PalioSubscriber(Subscriber):
    """Counts updates."""

    frames = 0

    def on_update(self, payload: bytes) -> None:  # noqa: ARG002 - they are counted
        """One more."""
        self.frames += 1


async def watch(kind: str, port: int, sockets: int, tournament: str, seconds: float) -> int:
    """How many frames so many sockets were sent within a time, which begins when it is told to. `kind`: palio or centrifugo."""
    loop = asyncio.get_running_loop()
    watchers: list[Any] = [
        CentrifugoSubscriber() if kind == "centrifugo" else PalioSubscriber(tournament) for _ in range(sockets)
    ]
    for watcher in watchers:
        await loop.create_connection(lambda watcher=watcher: watcher, HOST, port)  # type: ignore[misc]
    await asyncio.gather(*(watcher.watching for watcher in watchers))
    tell("open")
    await heard("go")
    before = sum(int(watcher.frames) for watcher in watchers)
    await asyncio.sleep(seconds)
    return sum(int(watcher.frames) for watcher in watchers) - before


async def publish(port: int, requests: Iterator[bytes], seconds: float) -> int:
    """Send these, one each PUBLISH_EVERY_S; how many."""
    pool, sent, due_s = Pool(port, 4), 0, time.perf_counter()
    end_s = due_s + seconds
    while due_s < end_s:
        answer = await pool.ask(next(requests))
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"expected 200, got {answer.status} {answer.body!r}")
        sent += 1
        due_s += PUBLISH_EVERY_S
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
    pool.close()
    return sent


async def publish_to_centrifugo(port: int, key: str, seconds: float) -> int:
    """See `publish`."""
    header = f"X-API-Key: {key}\r\n"
    publication = request("POST", "/api/publish", body=json.dumps(PUBLICATION).encode(), more=header)
    return await publish(port, itertools.repeat(publication), seconds)


async def publish_to_palio(port: int, token: str, tournament: str, users: list[int], seconds: float, turn: int) -> int:
    """The same: each is a score that changes one row."""

    def score(number: int) -> bytes:
        event = {
            "event_id": f"f{turn}-{number}",
            "user_id": str(users[number % len(users)]),
            "score": turn + number / 4,
        }
        return request("POST", f"/v1/tournaments/{tournament}/scores", token=token, body=json.dumps(event).encode())

    return await publish(port, map(score, itertools.count(1)), seconds)
