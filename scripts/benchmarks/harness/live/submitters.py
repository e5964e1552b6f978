"""Scores on live sockets as load: sockets of a service, each with so many scores on their way."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from typing import Final

from scripts.benchmarks.harness.contest import Contest
from scripts.benchmarks.harness.http_load import HOST, Load
from scripts.benchmarks.harness.live.socket import TEXT, LiveSocket, client_frame

AUTH: Final = b'"auth"'


def live_scores(contest: Contest, seed: int) -> Callable[[int], bytes]:
    """Frames of one score each, of random members; the argument is the message's id."""
    rng = random.Random(seed)
    pairs = [
        b'"tournament":"%b","user_id":"%d"' % (tournament.encode(), user)
        for tournament, users in zip(contest.tournaments, contest.members, strict=True)
        for user in users
    ]
    count = 0

    def make(message_id: int) -> bytes:
        nonlocal count
        count += 1
        given = (message_id, rng.choice(pairs), seed, count, rng.randrange(1_000_000))
        return client_frame(TEXT, b'{"id":%d,"submit":{%b,"event_id":"l%d-%d","score":%d.5}}' % given)

    return make


class Submitter(LiveSocket):
    """Keeps `in_flight` scores on their way until it is told to end."""

    def __init__(self, token: str, make: Callable[[int], bytes], in_flight: int, load: Load) -> None:
        super().__init__()
        self._token = token
        self._make = make
        self._in_flight = in_flight
        self._load = load
        self._sent_s: dict[int, float] = {}
        self._next_id = 1
        self.ending = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_open(self) -> None:
        """Sign in."""
        self.send(TEXT, b'{"id":0,%b:%b}' % (AUTH, json.dumps(self._token).encode()))

    def on_refused(self, answer: str) -> None:
        """Tell who waits."""
        self.ended.set_exception(RuntimeError(f"expected 101, got {answer}"))

    def on_frame(self, kind: int, payload: bytes) -> None:
        """What is acknowledged is followed by as many more."""
        if kind != TEXT:
            return
        answer = json.loads(payload)
        if "error" in answer:
            self._load.statuses[400] += 1
            if not self.ended.done():
                self.ended.set_exception(RuntimeError(f"refused: {answer['error']}"))
            return
        ids, now_s = answer.get("ids", [answer.get("id")]), time.perf_counter()
        for message_id in ids:
            if message_id:
                self._load.statuses[202] += 1
                self._load.latencies_s.append(now_s - self._sent_s.pop(message_id))
        wanted = self._in_flight if ids == [0] else len(ids)
        if not self.ending:
            frames = []
            for message_id in range(self._next_id, self._next_id + wanted):
                self._sent_s[message_id] = now_s
                frames.append(self._make(message_id))
            self._next_id += wanted
            self.transport.write(b"".join(frames))
        elif not self._sent_s and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if not self.ended.done():
            self.ended.set_exception(RuntimeError(f"the server closed the socket: {exc}"))


async def submit_live(
    port: int, sockets: int, in_flight: int, token: str, contest: Contest, duration_s: float, seed: int
) -> Load:
    """The load of so many sockets; statuses are as the POST's: 202 for what was acknowledged."""
    load, make = Load(), live_scores(contest, seed)
    submitters = [Submitter(token, make, in_flight, load) for _ in range(sockets)]
    loop, began_s = asyncio.get_running_loop(), time.perf_counter()
    for submitter in submitters:
        await loop.create_connection(lambda submitter=submitter: submitter, HOST, port)  # type: ignore[misc]
    await asyncio.wait([submitter.ended for submitter in submitters], timeout=duration_s)
    for submitter in submitters:
        submitter.ending = True
    async with asyncio.timeout(30):
        await asyncio.gather(*(submitter.ended for submitter in submitters))
    load.seconds = time.perf_counter() - began_s
    for submitter in submitters:
        submitter.transport.close()
    return load
