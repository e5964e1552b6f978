"""What all files here share, since starting it is dear: the servers, as `scripts/servers up` starts them, three Ray nodes, and a Palio on both.

Files run in the order of their names; `test_the_end.py` holds what was made of all that against an independent replay, and ends it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
import redis

from tests.support.ray_nodes import RayNodes
from tests.support.real_servers import RealServers, free_block
from tests.support.running import NO_LIMITS, WHOLE_LOG, RunningPalio

# Two of what there may be several of, so that one is there while the other is away.
TWO_OF_EACH = {"PALIO_SHARDS": "2", "PALIO_INGEST_ACTORS": "2", "PALIO_GATEWAY_REPLICAS_MIN": "2"}


@pytest.fixture(scope="package")
def real_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServers]:
    """Started once, by `scripts/servers up`; up again whenever a test asks."""
    servers = RealServers(tmp_path_factory.mktemp("servers"))
    began = time.monotonic()
    started = servers.command("up", "--first-port", str(free_block()))
    print(f"\nscripts/servers up: {time.monotonic() - began:.1f} s")
    assert started.returncode == 0, started.stderr
    yield servers
    servers.down()


@pytest.fixture(scope="package")
def nodes() -> Iterator[RayNodes]:
    with RayNodes(3, {}) as started:
        yield started


@pytest.fixture(scope="package")
def cluster_session(
    real_servers: RealServers, nodes: RayNodes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPalio]:
    """The Palio of all files, for `test_the_end.py`; others use `cluster`."""
    environment = {**NO_LIMITS, **WHOLE_LOG, **TWO_OF_EACH, **real_servers.environment, **nodes.environment}
    palio = RunningPalio(tmp_path_factory.mktemp("cluster") / "data", **environment)
    palio.start()
    yield palio
    assert palio.stop() == 0, "".join(palio.output)


@pytest.fixture
def cluster(cluster_session: RunningPalio, real_servers: RealServers) -> Iterator[RunningPalio]:
    """All up; whatever a test stopped is up again after it."""
    yield cluster_session
    for prefix in ("kafka", "redis-cluster", "mysql", "influx"):
        real_servers.signal(prefix, signal.SIGCONT)
    real_servers.up()


@pytest.fixture
def plain_redis(real_servers: RealServers) -> Iterator[redis.RedisCluster]:
    """A plain client of the Redis Cluster."""
    facts = real_servers.facts["redis-cluster"]
    with redis.RedisCluster.from_url(facts["urls"][0], password=facts["password"]) as client:
        yield client
