"""The edge of the running system: who may reach what, and what strangers are told. Nothing here harms anybody."""

from __future__ import annotations

import stat

import grpc
import psutil
import pytest

from tests.support.running import RunningPalio


def test_the_data_directory_is_its_owners_alone(palio: RunningPalio) -> None:
    assert stat.S_IMODE(palio.data.stat().st_mode) == 0o700
    files = [path for path in palio.data.rglob("*") if path.is_file()]
    assert {"log.db", "records.db", "jwt_secret", "ray_token"} <= {path.name for path in files}
    assert [path for path in files if path.stat().st_mode & 0o077] == []


def test_replicas_refuse_calls_without_the_token(palio: RunningPalio) -> None:
    refused = 0
    for pid in [*palio.pids("ray::ServeReplica:api"), *palio.pids("ray::ServeReplica:gateway")]:
        listening = [c.laddr for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        for address in listening:
            if address.ip not in ("::", "0.0.0.0"):
                continue
            with grpc.insecure_channel(f"127.0.0.1:{address.port}") as channel:
                call = channel.unary_unary("/ray.serve.ASGIService/HandleRequest")
                with pytest.raises(grpc.RpcError) as caught:
                    call(b"", timeout=10)
                assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
                refused += 1
    assert refused >= 2  # each replica has such a port
