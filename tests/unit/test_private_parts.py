"""What Palio uses of libraries beyond their public interface: an upgrade that changes it fails here, with the name of what changed.

Raise an upper bound in pyproject.toml, and in BOUNDS, only once these pass with the new version and the code named beside them was read again.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiokafka.client
import aiokafka.conn
import pytest
import redis.asyncio.connection
import uvicorn
from aiokafka.protocol.admin import CreateTopicsRequest, DeleteRecordsRequest, DescribeConfigsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hiredis import pack_command
from redis.crc import key_slot
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from serve_app.api.connection import ApiConnection
from serve_app.gateway.fast_path import GatewayHttp
from serve_app.live.connection import LiveConnection

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
BOUNDS = {  # from, below
    "uvicorn": (
        "0.45",
        "0.55",
    ),  # serve_app/gateway, serve_app/http/server.py, serve_app/api/connection.py, serve_app/live/connection.py
    "websockets": ("17", "18"),  # serve_app/live
    "aiokafka": ("0.14", "0.15"),  # storage/score_log/kafka
    "redis": ("8", "9"),  # storage/redis_client
    "prometheus-client": ("0.22", "1"),  # cluster/__init__.py, serve_app/metrics.py
    "ray": ("2.60", "2.61"),  # cluster/serve/replica_port.py: a replica's port
}


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


@pytest.mark.parametrize("name", BOUNDS)
def test_versions_are_bounded_and_the_installed_one_is_within(name: str) -> None:
    lowest, below = BOUNDS[name]
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    (told,) = [each for each in project["dependencies"] if re.match(rf"{name}(\[|[<>=])", each)]
    assert re.sub(r"^[\w-]+(\[\w+\])?", "", told) == f">={lowest},<{below}"
    assert numbers(lowest) <= numbers(version(name)) < numbers(below)


def parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


# uvicorn and websockets


def connection(loop: asyncio.AbstractEventLoop, kind: Any) -> Any:
    return kind(Config(app=_app, ws_per_message_deflate=False, log_config=None), ServerState(), {}, loop)


async def _app(scope: Any, receive: Any, send: Any) -> None:
    del scope, receive, send


@pytest.mark.parametrize("kind", [HttpToolsProtocol, WebSocketsSansIOProtocol])
def test_uvicorns_connections_are_made_as_ours_are(kind: Any) -> None:
    assert parameters(kind.__init__) == ["config", "server_state", "app_state", "_loop"]


async def test_uvicorns_http_connections_have_what_ours_build_on() -> None:
    made = connection(asyncio.get_running_loop(), HttpToolsProtocol)
    for name in (
        "app_state", "client", "connections", "cycle", "expect_100_continue", "flow", "headers", "loop", "parser", "pipeline",
        "root_path", "scope", "server", "server_state", "tasks", "timeout_keep_alive", "transport", "ws_protocol_class",
    ):  # fmt: skip
        assert name in vars(made), name
    for name in ("default_headers", "total_requests"):
        assert hasattr(made.server_state, name), name
    assert parameters(made._should_upgrade) == []
    assert parameters(made._start_asgi_task) == ["cycle", "app"]
    assert parameters(made.send_400_response) == ["msg"]
    assert parameters(made.handle_websocket_upgrade) == []
    assert "response_complete" in inspect.getsource(RequestResponseCycle)


@pytest.mark.parametrize("ours", [GatewayHttp, ApiConnection, LiveConnection])
def test_what_ours_override_of_uvicorns_exists_there_with_the_same_parameters(ours: type) -> None:
    theirs = HttpToolsProtocol if issubclass(ours, HttpToolsProtocol) else WebSocketsSansIOProtocol
    overridden = [
        name
        for name in dir(theirs)
        if inspect.isfunction(getattr(theirs, name)) and getattr(ours, name) is not getattr(theirs, name)
    ]
    expected = {"connection_made", "connection_lost", "data_received"}
    assert expected <= set(overridden)
    for name in overridden:
        if name != "__init__":
            assert parameters(getattr(ours, name)) == parameters(getattr(theirs, name)), name


async def test_uvicorns_live_connections_have_what_ours_build_on() -> None:
    made = connection(asyncio.get_running_loop(), WebSocketsSansIOProtocol)
    for name in (
        "client", "close_sent", "close_timer", "conn", "handshake_complete", "loop", "ping_interval", "pong_timer", "queue", "read_paused",
        "tasks", "transport", "writable",
    ):  # fmt: skip
        assert name in vars(made), name
    for name in ("handle_connect", "handle_close", "handle_pong", "keepalive_timeout", "stop_keepalive"):
        assert callable(getattr(made, name)), name
    for name in ("events_received", "receive_data", "data_to_send", "send_close", "fail", "accept", "send_pong"):
        assert callable(getattr(made.conn, name)), name
    for name in ("handshake_exc", "parser", "parser_exc", "state", "writes"):
        assert hasattr(made.conn, name), name
    assert inspect.isgenerator(made.conn.parser)
    assert isinstance(made.conn.writes, list)
    # serve_app/live/slim.py has all that is used of these two, and the parser is begun anew behind the handshake
    source = inspect.getsource(WebSocketsSansIOProtocol)
    assert set(re.findall(r"self\.queue\.(\w+)", source)) <= {"put_nowait", "get", "empty"}
    assert set(re.findall(r"self\.writable\.(\w+)", source)) <= {"set", "clear", "wait", "is_set"}
    assert "super().parse()" in inspect.getsource(type(made.conn).parse)


def test_uvicorn_writes_heads_as_ours_do() -> None:
    assert STATUS_LINE[202] == b"HTTP/1.1 202 Accepted\r\n"
    assert all(
        status in STATUS_LINE for status in (200, 304, 400, 401, 403, 404, 408, 413, 415, 422, 429, 431, 500, 503)
    )
    assert HEADER_VALUE_RE.search(b"a\r\nb")
    assert not HEADER_VALUE_RE.search(b"a b")


def test_uvicorn_makes_connections_as_a_server_that_leaves_does() -> None:
    made = Config(app=_app, http=HttpToolsProtocol, ws="none", log_config=None)
    made.load()
    assert made.http_protocol_class is HttpToolsProtocol
    assert {"servers", "server_state", "should_exit", "force_exit", "started"} <= set(vars(uvicorn.Server(made))) | {
        "servers"
    }


def test_a_serve_replica_opens_its_port_by_what_is_replaced() -> None:
    script = """
import inspect
from ray.serve._private import replica
assert len(inspect.signature(replica.add_port_to_grpc_server).parameters) == 2
assert inspect.getsource(replica.Replica).count('add_port_to_grpc_server(self._server, "') == 1
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


# aiokafka


def test_aiokafkas_client_has_what_the_score_log_asks_of_it() -> None:
    client = aiokafka.client.AIOKafkaClient
    assert {"node_id", "request", "group"} <= set(parameters(client.send))
    assert parameters(client.coordinator_lookup) == ["coordinator_type", "coordinator_key"]
    for name in ("bootstrap", "close", "force_metadata_update", "get_random_node", "set_topics"):
        assert callable(getattr(client, name)), name
    assert "self._sync_task =" in inspect.getsource(client)
    assert {"DEFAULT", "COORDINATION"} <= set(dir(aiokafka.client.ConnectionGroup))
    assert parameters(aiokafka.conn.create_conn)[:2] == ["host", "port"]
    assert aiokafka.conn.collect_hosts(["a:1"])[0][:2] == ("a", 1)


@pytest.mark.parametrize(
    "request_",
    [
        OffsetRequest(-1, 0, [("t", [(0, -1)])]),
        OffsetCommitRequest("g", -1, "", -1, [("t", [(0, 1, "")])]),
        OffsetFetchRequest("g", [("t", [0])]),
        InitProducerIdRequest(None, 1),
        CreateTopicsRequest([("t", 1, 1, [], [("a", "b")])], 1, False),
        DescribeConfigsRequest([(2, "t", None)]),
        DeleteRecordsRequest([("t", [(0, 1)])], 1),
    ],
    ids=lambda each: type(each).__name__,
)
def test_aiokafkas_requests_are_made_as_the_score_log_makes_them(request_: Any) -> None:
    assert isinstance(request_, Request)


def test_aiokafkas_structures_of_requests_are_as_ours_extend_them() -> None:
    assert {"FLEXIBLE_VERSION", "RESPONSE_TYPE"} <= set(dir(RequestStruct)) | set(RequestStruct.__annotations__)
    assert callable(RequestStruct.encode)
    assert callable(Response.decode)
    assert parameters(Request.build) == ["request_struct_class"]


def test_aiokafkas_record_batches_are_read_as_they_are_built() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, 7, 1, 5, 1000)
    assert builder.append(0, 1234, b"key", b"value", [("name", b"content")]) is not None
    assert builder.append(1, 1234, b"key", b"x" * 2000, []) is None
    batch = DefaultRecordBatch(bytes(builder.build()))
    assert batch.validate_crc()
    assert (batch.base_offset, batch.next_offset, batch.is_control_batch, batch.timestamp_type) == (0, 1, False, 0)
    assert (batch.first_timestamp, batch.max_timestamp) == (1234, 1234)
    (record,) = batch
    assert (record.offset, record.timestamp, record.key, record.value) == (0, 1234, b"key", b"value")
    assert list(record.headers) == [("name", b"content")]
    assert DefaultRecordBatchBuilder.estimate_size_in_bytes(b"key", b"value", []) > 8


# Redis


def test_redis_connections_have_what_ours_ask_of_them() -> None:
    kind = redis.asyncio.connection.Connection
    assert "check_health" in parameters(kind.send_packed_command)
    assert {"timeout", "disconnect_on_error"} <= set(parameters(kind.read_response))
    assert "nowait" in parameters(kind.disconnect)
    assert parameters(kind.connect) == []
    assert isinstance(kind.is_connected, property)
    assert redis.asyncio.connection.parse_url("redis://a:1")["host"] == "a"
    assert pack_command(("PING",)) == b"*1\r\n$4\r\nPING\r\n"
    assert key_slot(b"{a}b") == key_slot(b"a")


# prometheus_client


def test_prometheus_values_of_processes_are_replaced_where_ours_are(tmp_path: Path) -> None:
    script = """
from prometheus_client import Counter, values
made = values.MultiProcessValue(process_identifier=lambda: 4711)
values.ValueClass = made
import cluster
assert values.ValueClass is not made
Counter("palio_probe_total", "A probe.").inc()
"""
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(PYPROJECT.parent)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert list(tmp_path.glob("counter_*.db"))
