"""What benchmarks play on: many running tournaments with members; and the requests of their scores. Raw, since the joins are measured, too."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from scripts.benchmarks.harness.http_load import Pool, request
from scripts.benchmarks.harness.measured_palio import MeasuredPalio

TOURNAMENTS: Final = 200
MEMBERS: Final = 20
FIRST_USER: Final = 1_000_000
SETUP_CONNECTIONS: Final = 32


class Contest(NamedTuple):
    """`members[i]` are the user ids of `tournaments[i]`; everybody is in one tournament."""

    tournaments: list[str]
    members: list[list[int]]
    joins_a_second: float


def set_up(
    palio: MeasuredPalio, policy: str = "best", tournaments: int = TOURNAMENTS, members: int = MEMBERS
) -> Contest:
    """Running tournaments of so many members each, made through the api and joined through the gateway; returns once all of it is applied."""
    ports = palio.settings.port, palio.settings.gateway_port
    return asyncio.run(_set_up(ports, palio.token("service", 1), policy, tournaments, members))


async def _set_up(ports: tuple[int, int], token: str, policy: str, tournaments: int, each: int) -> Contest:
    api, gateway = Pool(ports[0], SETUP_CONNECTIONS), Pool(ports[1], SETUP_CONNECTIONS)
    now = datetime.now(UTC)
    spec = {
        "type": "scheduled",
        "starts_at": (now - timedelta(minutes=1)).isoformat(),
        "ends_at": (now + timedelta(days=2)).isoformat(),
        "score_policy": policy,
    }

    async def create(index: int) -> str:
        body = json.dumps({"name": f"Bench {index}", **spec}).encode()
        answer = await api.ask(request("POST", "/v1/tournaments", token=token, body=body))
        if answer.status != 201:
            raise RuntimeError(f"expected 201, got {answer.status} {answer.body!r}")
        made: str = json.loads(answer.body)["id"]
        return made

    async def join(tournament: str, user: int) -> None:
        answer = await gateway.ask(request("PUT", f"/v1/tournaments/{tournament}/participants/{user}", token=token))
        if answer.status != 201:
            raise RuntimeError(f"expected 201, got {answer.status} {answer.body!r}")

    made = await asyncio.gather(*(create(index) for index in range(tournaments)))
    members = [[FIRST_USER + index * each + n for n in range(each)] for index in range(tournaments)]
    began_s = time.perf_counter()
    await asyncio.gather(*(join(i, user) for i, users in zip(made, members, strict=True) for user in users))
    joins_a_second = tournaments * each / (time.perf_counter() - began_s)
    api.close()
    gateway.close()
    return Contest(list(made), members, joins_a_second)


def single_scores(contest: Contest, tokens: dict[int, str], seed: int) -> Callable[[], bytes]:
    """Requests of one score each, of random members with tokens of their own."""
    rng = random.Random(seed)
    heads = [
        (
            f"POST /v1/tournaments/{tournament}/scores HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {tokens[user]}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        for tournament, users in zip(contest.tournaments, contest.members, strict=True)
        for user in users
    ]
    count = 0

    def make() -> bytes:
        nonlocal count
        count += 1
        body = b'{"event_id":"e%d-%d","score":%d.5}' % (seed, count, rng.randrange(1_000_000))
        return b"%b%d\r\n\r\n%b" % (rng.choice(heads), len(body), body)

    return make


def batched_scores(contest: Contest, token: str, size: int, seed: int) -> Callable[[], bytes]:
    """Requests of `size` scores each, of random members in random tournaments, as NDJSON of a service."""
    rng = random.Random(seed)
    pairs = [
        b'"tournament_id":"%b","user_id":"%d"' % (tournament.encode(), user)
        for tournament, users in zip(contest.tournaments, contest.members, strict=True)
        for user in users
    ]
    head = (
        f"POST /v1/scores HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/x-ndjson\r\nContent-Length: "
    ).encode()
    count = 0

    def make() -> bytes:
        nonlocal count
        lines = []
        for pair in rng.choices(pairs, k=size):
            count += 1
            lines.append(b'{"event_id":"b%d-%d",%b,"score":%d.5}' % (seed, count, pair, rng.randrange(1_000_000)))
        body = b"\n".join(lines)
        return b"%b%d\r\n\r\n%b" % (head, len(body), body)

    return make
