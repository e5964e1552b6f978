"""How full a Redis is, by what it tells."""

from __future__ import annotations

import pytest

from storage.redis_client.memory import memory_share


@pytest.mark.parametrize(
    ("info", "share"),
    [
        ({"used_memory": "80", "maxmemory": "100", "total_system_memory": "1000"}, 0.8),
        (
            {"used_memory": "80", "maxmemory": "0", "total_system_memory": "1000"},
            0.08,
        ),  # no limit: the machine's memory
        ({"used_memory": "110", "maxmemory": "100"}, 1.1),
        ({"used_memory": "80"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_share(info: dict[str, str], share: float) -> None:
    assert memory_share(info) == share
