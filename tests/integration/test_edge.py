"""The edge of the running system: who may reach what, and what strangers are told. Nothing here harms anybody."""

from __future__ import annotations

import socket
import stat
import threading
import time

import grpc
import httpx2
import psutil
import pytest

from tests.integration.conftest import problem
from tests.support.running import RunningPalio, kill_9


def raw(palio: RunningPalio, request: bytes) -> bytes:
    """All that the api answers to these bytes."""
    with socket.create_connection(("127.0.0.1", palio.port), timeout=60) as client:
        client.sendall(request)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    return answer


def test_a_head_that_is_too_large_is_refused(palio: RunningPalio) -> None:
    answer = raw(palio, b"GET /v1 HTTP/1.1\r\nHost: a\r\n" + b"X-Long: " + b"x" * 40_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("head", [b"Content-Length: 10000000", b"Transfer-Encoding: chunked"])
def test_a_body_that_is_too_large_is_answered_so_that_a_client_can_read_it(palio: RunningPalio, head: bytes) -> None:
    start = b"POST /v1/tournaments HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + head + b"\r\n\r\n"
    piece = b"x" * 100_000
    body = b"%x\r\n%b\r\n" % (len(piece), piece) * 100 if b"chunked" in head else piece * 100
    for _ in range(5):
        answer = raw(palio, start + body)
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b'"code":"too_large"' in answer


def test_no_live_sockets_at_the_api(palio: RunningPalio) -> None:
    answer = raw(
        palio,
        b"GET /v1/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"application/problem+json" in answer


class Asking(threading.Thread):
    """Asks the api for its list without pause; `answers` are each different status and code, `unanswered` requests."""

    def __init__(self, palio: RunningPalio) -> None:
        super().__init__(daemon=True)
        self._url = f"{palio.url}/v1/tournaments"
        self._over = threading.Event()
        self.answers: set[tuple[int, str]] = set()
        self.unanswered = 0
        self.start()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                answer = httpx2.get(self._url, timeout=60)
            except httpx2.TransportError:
                self.unanswered += 1
            else:
                self.answers.add((200, "") if answer.status_code == 200 else problem(answer))
            time.sleep(0.02)

    def stop(self) -> set[tuple[int, str]]:
        self._over.set()
        self.join(60)
        assert not self.is_alive()
        return self.answers


def test_while_the_api_starts_nobody_is_told_anything_wrong(stage: RunningPalio) -> None:
    """It listens once it can answer."""
    stage.kill()
    asking = Asking(stage)
    stage.start()
    answers = asking.stop()
    assert asking.unanswered
    assert answers <= {(200, ""), (503, "unavailable")}


def test_one_of_two_replicas_that_is_killed_is_missed_by_who_it_was_answering_alone(stage: RunningPalio) -> None:
    stage.redeploy(PALIO_API_REPLICAS="2")
    asking = Asking(stage)
    time.sleep(0.5)
    pids = stage.pids("ray::ServeReplica:api")
    assert len(pids) == 2
    kill_9(pids[0])
    deadline = time.monotonic() + 120
    while len(set(stage.pids("ray::ServeReplica:api")) - {pids[0]}) < 2 or not stage.well():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    answers = asking.stop()
    assert asking.unanswered <= 1
    assert answers <= {(200, ""), (503, "unavailable")}


def test_the_data_directory_is_its_owners_alone(palio: RunningPalio) -> None:
    assert stat.S_IMODE(palio.data.stat().st_mode) == 0o700
    files = [path for path in palio.data.rglob("*") if path.is_file()]
    assert {"log.db", "records.db", "jwt_secret", "ray_token"} <= {path.name for path in files}
    assert [path for path in files if path.stat().st_mode & 0o077] == []


def listening(pid: int) -> list[tuple[str, int]]:
    """(address, port) of all on which a process listens; none, if it is gone."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return []
    return [(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN]


def test_every_port_is_on_loopback(palio: RunningPalio) -> None:
    """Serve opens one of each replica on all addresses."""
    assert palio.process is not None
    found = {(address, port) for pid in (palio.process.pid, *palio.pids("")) for address, port in listening(pid)}
    assert {palio.port, palio.gateway_port} <= {port for _, port in found}
    assert {address for address, _ in found} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, found


# A call of Serve's between replicas, and one that every process of Ray takes.
CALLS = ("/ray.serve.ASGIService/HandleRequest", "/ray.rpc.CoreWorkerService/GetCoreWorkerStats")


def test_replicas_refuse_calls_without_the_token(palio: RunningPalio) -> None:
    refused = set()
    for pid in [*palio.pids("ray::ServeReplica:api"), *palio.pids("ray::ServeReplica:gateway")]:
        for port in {port for _, port in listening(pid)} - {palio.port, palio.gateway_port}:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                for name in CALLS:
                    with pytest.raises(grpc.RpcError) as caught:
                        channel.unary_unary(name)(b"", timeout=10)
                    code = caught.value.code()
                    assert code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED), (name, code)
                    if code is grpc.StatusCode.UNAUTHENTICATED:
                        refused.add((pid, name))
    assert len(refused) >= 4  # each replica, each of the calls


def test_what_is_no_path_is_not_found(palio: RunningPalio) -> None:
    answer = raw(palio, b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"code":"not_found"' in answer
