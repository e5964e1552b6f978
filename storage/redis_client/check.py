"""Whether the configured Redis is one that Palio can use: asked once at the start, so that a mistake is one clear line."""

from __future__ import annotations

import logging
from typing import Any, Final

from redis.exceptions import ResponseError

from storage.ports import StorageError
from storage.redis_client.cluster import RedisNodes
from storage.redis_client.connection import RedisConfig
from storage.redis_client.errors import RedisAwayError

logger = logging.getLogger(__name__)

NODE_TIMEOUT_MAX_MS: Final = (
    1500  # a replica takes over after up to 1.5 times this and some 1.5 s; read models must be right within 5 s
)
OLDEST: Final = (7, 0)  # sharded channels, and scripts that see keys expire at one moment


async def check_redis(config: RedisConfig) -> str:
    """Look at one node that answers; returns its version.

    Raises StorageError, without a password, when none answers, when it is a single Redis where a cluster is configured (or the reverse), or
    too old. Warnings: a policy that evicts keys, since what loses a part is written anew, again and again; and a cluster that is slow to
    replace a primary.
    """
    nodes = RedisNodes(config)
    try:
        answer, node_timeout = await _first_answer(nodes)
    finally:
        await nodes.close()
    if isinstance(answer, ResponseError):
        raise StorageError(f"Redis does not say what it is: {answer}")
    info: dict[str, str] = dict(line.split(":", 1) for line in answer.decode().split("\r\n") if ":" in line)
    version = info.get("redis_version", "0.0")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise StorageError(f"expected Redis {OLDEST[0]}.{OLDEST[1]} or newer, found {version}")
    if (info.get("cluster_enabled") == "1") != config.cluster:
        kinds = ("a Redis cluster", "a single Redis")
        expected, found = kinds if config.cluster else kinds[::-1]
        raise StorageError(f"expected {expected}, found {found}")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        logger.warning("Redis evicts keys (maxmemory-policy is %s): expected noeviction", policy)
    if config.cluster and not isinstance(node_timeout, ResponseError) and int(node_timeout[1]) > NODE_TIMEOUT_MAX_MS:
        logger.warning(
            "a Redis primary that fails is replaced late (cluster-node-timeout is %d): expected at most %d",
            int(node_timeout[1]),
            NODE_TIMEOUT_MAX_MS,
        )
    return version


async def _first_answer(nodes: RedisNodes) -> tuple[Any, Any]:
    trouble: list[str] = []
    for address in nodes.seeds:
        try:
            info, node_timeout = await nodes.link(address).call([("INFO",), ("CONFIG", "GET", "cluster-node-timeout")])
        except RedisAwayError as error:
            trouble.append(str(error))
            continue
        return info, node_timeout
    raise StorageError("; ".join(trouble))
