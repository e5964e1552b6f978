"""Redis forgets everything in mid-load: how long until the read model is right again."""

from __future__ import annotations

import time
from typing import Any, Final

import redis

from tests.support.load import Load
from tests.support.real_servers import RealServers

READ_MODEL_GOAL_S: Final = 5.0
GIVE_UP_S: Final = 60.0


def flushed_s(servers: RealServers, load: Load) -> float:
    """FLUSHALL on every primary; seconds until the read model has all that was acknowledged before it.

    The load's scores only rise (policy `best`), so that one that is behind shows. Raises AssertionError after GIVE_UP_S.
    """
    facts = servers.facts["redis-cluster"]
    with redis.RedisCluster.from_url(facts["urls"][0], password=facts["password"]) as client:
        _await(client, load, dict(load.best))
        known = dict(load.best)
        began_s = time.monotonic()
        client.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
        assert not _right(client, load, known), "nothing was forgotten"
        _await(client, load, known)
        return time.monotonic() - began_s


def _await(client: redis.RedisCluster, load: Load, known: dict[int, float]) -> None:
    deadline_s = time.monotonic() + GIVE_UP_S
    while not _right(client, load, known):
        assert time.monotonic() < deadline_s, f"the read models are not right within {GIVE_UP_S:g} s"
        time.sleep(0.02)


def _right(client: redis.RedisCluster, load: Load, known: dict[int, float]) -> bool:
    """Whether the read model is whole, and nothing in it is older than what is known."""
    key = f"tournament:{{{load.tournament}}}"
    rows: Any = client.zrevrange(f"{key}:rankings", 0, -1, withscores=True)
    scores = {int(user): float(score) for user, score in rows}
    members = {int(user) for user in client.hkeys(f"{key}:participants")}
    if not client.hexists(f"{key}:state", "view") or not members.issuperset(load.users):
        return False
    return all(scores.get(user, -1.0) >= score for user, score in known.items())
