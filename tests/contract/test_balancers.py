"""nginx and HAProxy as `cluster/deploy` sets them up, real ones, in front of both entrypoints: one name with TLS for everything."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from cluster.config.settings import PROJECT_DIR
from scripts.local_servers.base import ensure_program, launch, listens, stop, wait_for_answer
from tests.support.certificates import Authority
from tests.support.entrypoints import Entrypoints, running_entrypoints
from tests.support.gateway import LiveClient
from tests.support.running import free_ports

DEPLOY = PROJECT_DIR / "cluster" / "deploy"
FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}
BALANCERS = tuple(FILES)


class Balanced:
    """Both entrypoints behind a balancer: `http` asks it by TLS."""

    def __init__(self, kind: str, palio: Entrypoints, port: int, plain_port: int, http: httpx2.AsyncClient) -> None:
        self.kind = kind
        self.palio = palio
        self.port = port
        self.plain_port = plain_port
        self.http = http


def shipped(kind: str) -> str:
    return (DEPLOY / FILES[kind]).read_text()


def configured(kind: str, directory: Path, text: str, palio: Entrypoints, ports: list[int]) -> list[str]:
    """The command that runs a balancer with the file as it is shipped, but for addresses and paths."""
    authority = Authority(directory)
    tls, plain = ports
    api, gateway = (url.removeprefix("http://") for url in palio.urls.values())
    replaced = {
        "127.0.0.1:8000": api,
        "127.0.0.1:8001": gateway,
        "listen 443": f"listen 127.0.0.1:{tls}",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "bind :443": f"bind 127.0.0.1:{tls}",
        "bind :80": f"bind 127.0.0.1:{plain}",
        "/etc/palio/tls.crt": str(authority.own.certificate),
        "/etc/palio/tls.key": str(authority.own.key),
        "/etc/palio/tls.pem": str(authority.own.both),
        "/var/cache/nginx": str(directory),
        "/run/haproxy": str(directory),
    }
    for old, new in replaced.items():
        text = text.replace(old, new)
    file = directory / FILES[kind]
    if kind == "haproxy":
        file.write_text(text)
        return [ensure_program("haproxy", "haproxy"), "-db", "-f", str(file)]
    temporary = "".join(
        f"{what}_temp_path {directory}/{what};\n" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = "user root;\n" if os.geteuid() == 0 else ""  # else its workers may not read what is the tests' own
    main += f"pid {directory}/nginx.pid;\ndaemon off;\nerror_log {directory}/error.log;\nevents {{}}\n"
    file.write_text(f"{main}http {{\naccess_log off;\n{temporary}{text}\n}}\n")
    return [ensure_program("nginx", "nginx"), "-p", str(directory), "-c", str(file), "-e", f"{directory}/error.log"]


@asynccontextmanager
async def balanced(kind: str, directory: Path, text: str = "", **config: Any) -> AsyncIterator[Balanced]:
    ports = free_ports(2)
    async with running_entrypoints(trusted_proxies="127.0.0.1", **config) as palio:
        command = configured(kind, directory, text or shipped(kind), palio, ports)
        launch(directory, kind, command)
        try:
            await asyncio.to_thread(wait_for_answer, directory, kind, lambda: all(map(listens, ports)))
            trusted = ssl.create_default_context(cafile=str(directory / "authority.crt"))
            url = f"https://127.0.0.1:{ports[0]}"
            async with httpx2.AsyncClient(base_url=url, verify=trusted, timeout=20) as http:
                yield Balanced(kind, palio, ports[0], ports[1], http)
        finally:
            await asyncio.to_thread(stop, directory, kind)


@pytest.fixture(params=BALANCERS)
async def behind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Balanced]:
    async with balanced(request.param, tmp_path) as running:
        yield running


async def test_everything_is_at_one_name(behind: Balanced) -> None:
    gateway, bearer = behind.palio.gateway, behind.palio.bearer
    tournament = await gateway.tournament(players=2)
    path = f"/v1/tournaments/{tournament}"
    assert (await behind.http.get("/")).headers["content-type"].startswith("text/html")
    assert (await behind.http.get("/healthz")).status_code == 200
    assert (await behind.http.get("/metrics")).status_code == 404
    body = {"event_id": "one", "score": 7.5}
    told = await behind.http.post(f"{path}/scores", json=body, headers=bearer(1) | {"prefer": "wait=5"})
    assert (told.status_code, told.json()["rank"]) == (200, 1)
    assert (await behind.http.get(f"{path}/rankings")).json()["rows"][0]["user_id"] == "1"
    assert (await behind.http.get(f"{path}/participants/2")).json()["rank"] is None
    made = await behind.http.post(
        "/v1/tournaments",
        json={"name": "New", "type": "instant", "capacity": 2, "duration_s": 60},
        headers=bearer(1, "service"),
    )
    assert made.status_code == 201
    large = await behind.http.post("/v1/scores", content=b" " * 2_000_000, headers=bearer(1, "service"))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    async with httpx2.AsyncClient() as plain:
        answer = await plain.get(f"http://127.0.0.1:{behind.plain_port}{path}")
    assert answer.status_code == 301
    assert answer.headers["location"].startswith("https://")


async def test_live_sockets_pass(behind: Balanced, tmp_path: Path) -> None:
    gateway = behind.palio.gateway
    tournament = await gateway.tournament(players=1)
    trusted = ssl.create_default_context(cafile=str(tmp_path / "authority.crt"))
    url = f"wss://127.0.0.1:{behind.port}/v1/live"
    async with connect(url, ssl=trusted, subprotocols=["palio.v1"]) as socket:  # type: ignore[list-item]
        client = LiveClient(socket)
        assert (await client.ask(subscribe=tournament))["ok"]
        await gateway.score(tournament, 1, 12.5)
        while not client.data.get(tournament, {}).get("top"):
            await client.receive()
        assert client.data[tournament]["top"][0]["score"] == 12.5


@pytest.mark.parametrize("kind", BALANCERS)
async def test_each_client_has_a_rate_of_its_own_whatever_it_claims(kind: str, tmp_path: Path) -> None:
    """Palio sees the address that the balancer saw, so nobody gets more by writing another one."""
    async with balanced(kind, tmp_path, anonymous_rate=1, anonymous_burst=3) as behind:
        tournament = await behind.palio.gateway.tournament()
        for path in (f"/v1/tournaments/{tournament}/participants/1", "/v1"):  # at the gateway, at the api
            told = [
                (await behind.http.get(path, headers={"x-forwarded-for": f"192.0.2.{number}"})).status_code
                for number in range(6)
            ]
            assert 429 in told, (path, told)
        transport = httpx2.AsyncHTTPTransport(
            local_address="127.0.0.2", verify=ssl.create_default_context(cafile=str(tmp_path / "authority.crt"))
        )
        async with httpx2.AsyncClient(base_url=behind.http.base_url, transport=transport) as other:
            assert (await other.get("/v1")).status_code == 200


async def test_nginx_answers_public_views_for_a_second_and_nothing_else(tmp_path: Path) -> None:
    async with balanced("nginx", tmp_path) as behind:
        gateway, bearer = behind.palio.gateway, behind.palio.bearer
        public, private = await gateway.tournament(players=1), await gateway.tournament(visibility="private")
        await gateway.join(private, 1)

        async def cached(path: str, **headers: str) -> tuple[int, str]:
            answer = await behind.http.get(path, headers=headers)
            return answer.status_code, answer.headers["x-cache-status"]

        view = f"/v1/tournaments/{public}"
        assert await cached(view) == (200, "MISS")
        assert (await cached(view))[1] in ("HIT", "UPDATING", "STALE")
        assert await cached(view, **bearer(1)) == (200, "BYPASS")
        for _ in range(3):
            assert await cached(f"/v1/tournaments/{private}", **bearer(1)) == (200, "BYPASS")
            assert await cached(f"/v1/tournaments/{private}") == (404, "MISS")
            assert (await cached(f"{view}/participants/1"))[1] == "MISS"  # not `public, max-age`: asked anew each time
        deadline = asyncio.get_running_loop().time() + 20
        await gateway.score(public, 1, 3)
        while not (await behind.http.get(view)).json()["top"]:
            assert asyncio.get_running_loop().time() < deadline, "the copy stays as it was"
            await asyncio.sleep(0.1)


async def test_nginx_asks_once_for_all_who_wait(tmp_path: Path) -> None:
    async with balanced("nginx", tmp_path) as behind:
        tournament = await behind.palio.gateway.tournament(players=1)
        path = f"/v1/tournaments/{tournament}"
        answers = await asyncio.gather(*(behind.http.get(path) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert sum(answer.headers["x-cache-status"] == "MISS" for answer in answers) == 1
        etag = answers[0].headers["etag"]
        assert (await behind.http.get(path, headers={"if-none-match": etag})).status_code == 304


@pytest.mark.parametrize("kind", BALANCERS)
async def test_a_node_that_is_away_is_passed_over(kind: str, tmp_path: Path) -> None:
    """Another server beside, at a port where nobody listens: reads and the writes that were not sent go to the one that is there."""
    away = free_ports(1)[0]
    text = shipped(kind)
    line = next(line for line in text.splitlines() if "127.0.0.1:8001" in line)
    both = f"{line.replace('127.0.0.1:8001', f'127.0.0.1:{away}').replace('node1', 'node0')}\n{line}"
    assert text.count(line) == 1
    async with balanced(kind, tmp_path, text.replace(line, both)) as behind:
        gateway = behind.palio.gateway
        tournament = await gateway.tournament(players=1)
        for number in range(8):
            body = {"event_id": f"e{number}", "score": number}
            path = f"/v1/tournaments/{tournament}"
            told = await behind.http.post(f"{path}/scores", json=body, headers=behind.palio.bearer(1))
            assert told.status_code == 202
            read = await behind.http.get(path, headers=behind.palio.bearer(1))
            assert read.status_code == 200
