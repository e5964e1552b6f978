from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from actors.domain.values import rfc3339
from serve_app.http.connection_bounds import KEEP_ALIVE_S
from serve_app.live.limits.bounds import HubLimits
from tests.support.gateway import WAIT_S, Gateway, running_gateway
from tests.support.on_uvloop import event_loop_policy, pytestmark

__all__ = ["event_loop_policy", "pytestmark"]  # they run on uvloop


async def raw(gateway: Gateway, data: bytes, *, until_closed: bool = True) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    writer.write(data)
    async with asyncio.timeout(WAIT_S):
        answer = await reader.read() if until_closed else await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer


async def test_submissions_and_rankings() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        tournament = await gateway.tournament(players=2)
        path = f"/v1/tournaments/{tournament}"
        taken = await http.post(path + "/scores", json={"event_id": "a", "score": 12.5}, headers=gateway.bearer(1))
        assert taken.status_code == 202
        assert taken.json().keys() == {"event_id", "partition", "offset"}
        waited = await http.post(
            path + "/scores", json={"event_id": "b", "score": 13}, headers={**gateway.bearer(2), "prefer": "wait=5"}
        )
        assert (waited.status_code, waited.json()["rank"], waited.json()["outcome"]) == (200, 1, "applied")
        page = (await http.get(path + "/rankings?limit=1")).json()
        assert [row["score"] for row in page["rows"]] == [13]
        batch = [{"event_id": "c", "user_id": "1", "score": 20, "tournament_id": tournament}, {"event_id": "d"}]
        answer = await http.post("/v1/scores", json=batch, headers=gateway.bearer(9, "service"))
        assert (answer.status_code, answer.json()["accepted"], len(answer.json()["rejected"])) == (202, 1, 1)
        around = (await http.get(path + "/rankings?around=2")).json()
        assert [row["user_id"] for row in around["rows"]] == ["1", "2"]


async def test_paths_and_methods() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get("/healthz")).status_code == 200
        for path in ("/", "/v1", "/v1/tournaments", "/v1/tournaments/1/participants", "/v1/live"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
            assert "api" in answer.json()["detail"]
        for path in (
            "/v1/tournaments/x",
            "/v1/tournaments/0",
            "/v1/tournaments/%31x",
            "/v1/tournaments/99999999999999999999",
        ):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "tournament_unknown"), path
        answer = await http.delete("/v1/tournaments/1")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PATCH")
        assert (await http.get("/v1/scores")).status_code == 405
        assert (await http.options("/v1/scores")).headers["allow"] == "OPTIONS, POST"


async def test_participants_join_and_leave_here_too() -> None:
    async with running_gateway() as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        tournament = await gateway.tournament()
        path, headers = f"/v1/tournaments/{tournament}/participants/me", {"Authorization": f"Bearer {gateway.token(5)}"}
        assert (await http.put(path, json={"name": "Five"}, headers=headers)).status_code == 201
        assert (await http.put(path, json={}, headers=headers)).status_code == 200
        assert (await http.get(path, headers=headers)).json()["name"] == "Five"
        assert (await http.delete(path, headers=headers)).status_code == 204
        assert (await http.get(path, headers=headers)).status_code == 404
        assert (await http.post(path, headers=headers)).headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"


@pytest.mark.parametrize("path", ["/v1/tournaments/1/scores", "/v1/tournaments/1/scores?lane=asgi", "/v1/scores"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_10_mb_is_413(path: str, chunked: bool) -> None:
    async with running_gateway(max_body_bytes=64 * 1024) as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        body = b"x" * 10_000_000

        async def pieces() -> Any:
            for at in range(0, len(body), 100_000):
                yield body[at : at + 100_000]

        answer = await http.post(path, content=pieces() if chunked else body, headers=gateway.bearer(1, "service"))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert (await http.get("/healthz")).status_code == 200


async def test_what_is_no_http_is_a_problem() -> None:
    async with running_gateway() as gateway:
        answer = await raw(gateway, b"\x16\x03\x01 hello\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"code":"malformed"' in answer
        head = await raw(gateway, b"GET /healthz HTTP/1.1\r\n" + b"x-much: " + b"y" * 100_000 + b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 ")
        target = await raw(gateway, b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\n\r\n")
        assert target.startswith(b"HTTP/1.1 431 ")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        token = gateway.bearer()["authorization"]

        def submission(event: str) -> bytes:
            body = json.dumps({"event_id": event, "score": 3}).encode()
            head = f"POST /v1/tournaments/{tournament}/scores HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
            return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body

        view = f"GET /v1/tournaments/{tournament} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        requests = [submission("a"), view, submission("b"), health, view, submission("c"), last]
        answers = await raw(gateway, b"".join(requests))
        kinds = []
        while answers:
            head, _, rest = answers.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body, answers = rest[:length], rest[length:]
            answer = json.loads(body)
            kinds.append(answer.get("event_id") or ("view" if "name" in answer else answer["status"]))
        assert kinds == ["a", "view", "b", "ok", "view", "c", "ok"]


async def test_connection_close_and_http_1_0_are_kept_to() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        closing = f"GET /v1/tournaments/{tournament} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        old = f"GET /v1/tournaments/{tournament} HTTP/1.0\r\n\r\n".encode()
        for request in (closing, old, closing, old):
            answer = await raw(gateway, request)
            assert b"connection: close\r\n" in answer
            assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_client_that_never_reads_does_not_fill_the_memory() -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        await raw(gateway, f"GET /v1/tournaments/{tournament} HTTP/1.0\r\n\r\n".encode())
        request = f"GET /v1/tournaments/{tournament} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        greedy = socket.socket()
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(greedy, ("127.0.0.1", gateway.server.port))
        sent = 0
        try:
            async with asyncio.timeout(3):
                while sent < 100_000:
                    await loop.sock_sendall(greedy, request * 100)
                    sent += 100
        except TimeoutError:
            pass
        assert sent < 100_000  # it stopped reading what it could not answer
        buffered = [c.transport.get_write_buffer_size() for c in gateway.server._server.server_state.connections]
        assert max(buffered) < 1_000_000
        greedy.close()


async def test_slow_requests_are_ended() -> None:
    async with running_gateway(request_timeout_s=0.3) as gateway:
        for beginning in (
            b"",
            b"GET /hea",
            b"POST /v1/tournaments/1/scores HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
            b"POST /v1/scores HTTP/1.1\r\nContent-Length: 10\r\n\r\n[",
        ):
            answer = await raw(gateway, beginning)
            assert answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 503 ")), beginning


async def test_idle_connections_are_ended_and_busy_ones_are_not() -> None:
    async with running_gateway() as gateway:
        path = f"/v1/tournaments/{await gateway.tournament()}"
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
        for _ in range(2):  # from the owner, and from the cache
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.splitlines() if line.startswith(b"content-length"))
            await reader.readexactly(length)
        (connection,) = gateway.server.http_connections()
        now_s = asyncio.get_running_loop().time()
        connection.expire(now_s + KEEP_ALIVE_S - 5)
        assert not connection.transport.is_closing()
        connection.expire(now_s + KEEP_ALIVE_S + 5)
        async with asyncio.timeout(WAIT_S):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    "path", ["/v1/tournaments/{}/scores", "/v1/tournaments/{}/scores?lane=asgi", "/v1/tournaments/{}"]
)
async def test_a_reset_before_the_answer_is_no_error(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async with running_gateway() as gateway:
        tournament = await gateway.tournament(players=1)
        gateway.palio.owners.delay_s = 0.1
        gateway.services.reads._known.clear()
        gateway.services.reads._cache.clear()
        method, body = ("POST", b'{"event_id":"a","score":1}') if "scores" in path else ("GET", b"")
        head = f"{method} {path.format(tournament)} HTTP/1.1\r\nHost: x\r\nAuthorization: {gateway.bearer()['authorization']}\r\n"
        before = gateway.palio.owners.calls.get("access", 0)
        for _ in range(10):
            client = socket.create_connection(("127.0.0.1", gateway.server.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.send(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            while gateway.server._server.server_state.tasks == set():
                await asyncio.sleep(0)
            client.close()
        async with asyncio.timeout(WAIT_S):
            while gateway.server._server.server_state.tasks:
                await asyncio.sleep(0.01)
        assert gateway.palio.owners.calls["access"] > before
        assert not caplog.records


async def test_whoever_hears_of_the_end_reads_all_of_it() -> None:
    """The pages that this replica kept are of before: the live `finished` forgets them."""
    async with running_gateway(view_cache_ms=60_000) as gateway, httpx2.AsyncClient(base_url=gateway.url) as http:
        ends_at = rfc3339(gateway.palio.now_ms + 3_600_000)
        tournament = await gateway.tournament(players=2, ends_at=ends_at)
        path = f"/v1/tournaments/{tournament}"
        async with gateway.client() as client:
            await client.watch(tournament)
            await http.get(path)
            assert (await http.get(f"{path}/rankings")).json()["status"] == "running"
            await gateway.score(tournament, 1, 5)
            await gateway.palio.pass_time(3_600_000)
            await client.until(lambda _: client.data[tournament]["status"] == "finished")
            page = (await http.get(f"{path}/rankings")).json()
            assert (page["status"], page["total"]) == ("finished", 1)
            assert (await http.get(path)).json()["status"] == "finished"


async def test_metrics_are_there_for_prometheus_and_count_live_sockets() -> None:
    def told(text: str) -> dict[str, float]:
        lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith("palio_live_"))
        return {name: float(value) for name, _, value in lines if "_created" not in name}

    opened, full = "palio_live_connections_total", 'palio_live_failures_total{code="too_many_sockets"}'
    async with (
        running_gateway(limits=HubLimits(check_interval_s=3600, max_sockets=1)) as gateway,
        httpx2.AsyncClient(base_url=gateway.url) as http,
    ):
        answer = await http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["cache-control"] == "no-store"
        before = told(answer.text)
        async with gateway.client():
            with pytest.raises(InvalidStatus) as refused:
                async with gateway.client():
                    pass
            assert refused.value.response.status_code == 503
        after = told((await http.get("/metrics")).text)
        assert (after[opened] - before[opened], after[full] - before[full]) == (1, 1)
        assert (await http.head("/metrics")).content == b""
        assert (await http.post("/metrics")).status_code == 404
