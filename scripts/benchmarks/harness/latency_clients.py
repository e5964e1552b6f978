"""The clients of `bench_latency` and `bench_shape`: one sends scores on time, one watches live sockets, one reads views on time.

Times are of the system's monotonic clock, the same in both. A score is recognised by its number: each is another one.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field
from typing import Final

from scripts.benchmarks.harness.client_process import tell
from scripts.benchmarks.harness.contest import Contest
from scripts.benchmarks.harness.http_load import HOST, Pool, request
from scripts.benchmarks.harness.live.socket import Subscriber

CONNECTIONS: Final = 200
WAIT_SHARE: Final = 0.05  # of the scores; each that is waited for costs two more messages
FIRST_SCORE: Final = 1_000_000
_SCORE: Final = re.compile(rb'"(?:value|score)":(\d{7})(?!\d)')


@dataclass
class Sent:
    """`times_s`: when each score was due and when it was accepted; `applied_s`: seconds from due to the outcome, of the sample."""

    times_s: dict[int, tuple[float, float]] = field(default_factory=dict)
    applied_s: list[float] = field(default_factory=list)
    refused: int = 0


@dataclass
class Watched:
    """`seen_s`: when each score first came in a frame; `frames`: how many came in all."""

    seen_s: dict[int, float] = field(default_factory=dict)
    frames: int = 0


async def send_scores(
    port: int,
    contest: Contest,
    tokens: dict[int, str],
    rate: int,
    size: int,
    duration_s: float,
    wait_share: float = WAIT_SHARE,
) -> Sent:
    """Send `rate` scores a second, `size` a request, and wait for all answers; `wait_share` of the scores come alone besides, and wait."""
    sender = _Sender(contest, tokens)
    pool = Pool(port, CONNECTIONS)
    await asyncio.gather(
        *(pool.ask(request("GET", "/healthz")) for _ in range(20))
    )  # connections open before time counts
    began_s = time.monotonic() + 0.1
    waiting = 0.0
    for index in range(round(rate * duration_s / size)):
        due_s = began_s + index * size / rate
        early_s = due_s - time.monotonic()
        if early_s > 0.001 or index % 10 == 9:
            await asyncio.sleep(max(early_s, 0))
        waiting += wait_share * size
        waits = waiting >= 1
        waiting -= waits
        if size > 1:
            sender.start(pool, *sender.batch(size), due_s, waits=False)
        if size == 1 or waits:
            sender.start(pool, *sender.single(waits=waits), due_s, waits=waits)
    if sender.under_way:
        await asyncio.wait(sender.under_way, timeout=30)
    return sender.sent


@dataclass
class Viewed:
    """Seconds from when each view was due to its answer, of those answered 200; `refused`: how many were not."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0


async def send_views(port: int, contest: Contest, rate: int, duration_s: float) -> Viewed:
    """Ask for `rate` views a second, each of a random tournament, and wait for all answers."""
    viewed, rng = Viewed(), random.Random(2)
    pool = Pool(port, CONNECTIONS)
    requests = [request("GET", f"/v1/tournaments/{tournament}") for tournament in contest.tournaments]
    under_way: set[asyncio.Task[None]] = set()

    async def ask(made: bytes, due_s: float) -> None:
        answer = await pool.ask(made)
        if answer.status == 200:
            viewed.seconds.append(time.monotonic() - due_s)
        else:
            viewed.refused += 1

    await asyncio.gather(*(pool.ask(request("GET", "/healthz")) for _ in range(20)))
    began_s = time.monotonic() + 0.1
    for index in range(round(rate * duration_s)):
        due_s = began_s + index / rate
        early_s = due_s - time.monotonic()
        if early_s > 0.001 or index % 10 == 9:
            await asyncio.sleep(max(early_s, 0))
        task = asyncio.create_task(ask(rng.choice(requests), due_s))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        _, late = await asyncio.wait(under_way, timeout=60)
        viewed.refused += len(late)
    return viewed


class _Sender:
    """Makes requests and notes what became of them."""

    def __init__(self, contest: Contest, tokens: dict[int, str]) -> None:
        self.sent = Sent()
        self.under_way: set[asyncio.Task[None]] = set()
        self._tokens = tokens
        self._score = FIRST_SCORE
        self._rng = random.Random(1)
        self._places = [
            (tournament, user)
            for tournament, users in zip(contest.tournaments, contest.members, strict=True)
            for user in users
        ]
        self._alone = [place for place in self._places if place[1] in tokens]  # who sends scores of their own

    def single(self, *, waits: bool) -> tuple[bytes, list[int]]:
        """A request of one score."""
        self._score += 1
        tournament, user = self._rng.choice(self._alone)
        body = b'{"event_id":"e%d","score":%d}' % (self._score, self._score)
        more = "Prefer: wait=10\r\n" if waits else ""
        path = f"/v1/tournaments/{tournament}/scores"
        return request("POST", path, token=self._tokens[user], body=body, more=more), [self._score]

    def batch(self, size: int) -> tuple[bytes, list[int]]:
        """A request of many."""
        scores = list(range(self._score + 1, self._score + 1 + size))
        self._score += size
        items = [
            {"tournament_id": tournament, "user_id": str(user), "event_id": f"e{value}", "score": value}
            for value, (tournament, user) in zip(scores, self._rng.choices(self._places, k=size), strict=True)
        ]
        return request("POST", "/v1/scores", token=self._tokens[1], body=json.dumps(items).encode()), scores

    def start(self, pool: Pool, made: bytes, scores: list[int], due_s: float, *, waits: bool) -> None:
        """Send a request, without waiting for its answer."""
        task = asyncio.create_task(self._send(pool, made, scores, due_s, waits))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _send(self, pool: Pool, made: bytes, scores: list[int], due_s: float, waits: bool) -> None:
        answer = await pool.ask(made)
        now_s = time.monotonic()
        if answer.status == 200 and waits:
            self.sent.applied_s.append(now_s - due_s)
        elif answer.status == 202:
            self.sent.times_s.update(dict.fromkeys(scores, (due_s, now_s)))
        else:
            self.sent.refused += 1


class _Watcher(Subscriber):
    """One live socket: looks for scores in what comes."""

    def __init__(self, tournament: str, watched: Watched) -> None:
        super().__init__(tournament)
        self._watched = watched

    def on_update(self, payload: bytes) -> None:
        """An update's scores have come."""
        now_s = time.monotonic()
        self._watched.frames += b'"type":"update"' in payload
        for found in _SCORE.findall(payload):
            self._watched.seen_s.setdefault(int(found), now_s)


async def watch(port: int, contest: Contest, sockets: int, duration_s: float) -> Watched:
    """Open the sockets, tell `open` once all have their snapshot, watch for the time given."""
    watched = Watched()
    loop = asyncio.get_running_loop()
    watchers = []
    for index in range(sockets):
        tournament = contest.tournaments[index % len(contest.tournaments)]
        _, watcher = await loop.create_connection(lambda t=tournament: _Watcher(t, watched), HOST, port)  # type: ignore[misc]
        watchers.append(watcher)
    async with asyncio.timeout(60):
        await asyncio.gather(*(watcher.watching for watcher in watchers))
    watched.seen_s.clear()
    watched.frames = 0
    tell("open")
    await asyncio.sleep(duration_s)
    return watched
