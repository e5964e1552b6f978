"""How full the memory of Redis is, node by node."""

from __future__ import annotations

from collections.abc import Mapping

from redis.exceptions import ResponseError

from storage.redis_client.cluster import RedisNodes
from storage.redis_client.connection import Address
from storage.redis_client.errors import RedisAwayError


async def memory_shares(nodes: RedisNodes) -> dict[Address, float]:
    """What each primary uses of its `maxmemory`, or of the machine's memory where it has no limit: 0 to 1, or a little more.

    A node that does not answer, or may not tell, is left out.
    """
    await nodes.ensure_topology()
    shares: dict[Address, float] = {}
    for address in nodes.primaries:
        try:
            (answer,) = await nodes.link(address).call([("INFO", "memory")])
        except RedisAwayError:
            nodes.mark_stale()
            continue
        if not isinstance(answer, ResponseError):
            shares[address] = memory_share(
                dict(line.split(":", 1) for line in answer.decode().split("\r\n") if ":" in line)
            )
    return shares


def memory_share(info: Mapping[str, str]) -> float:
    """The share by the fields of `INFO memory`; 0 where it names no limit and no memory of the machine."""
    limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0))
    return int(info.get("used_memory", 0)) / limit if limit else 0.0
