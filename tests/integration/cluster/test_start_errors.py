"""What keeps Palio from starting on servers: one line that says what, without a password, and exit status 1."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from storage.score_log.kafka.config import KafkaLogConfig
from tests.integration.conftest import refused
from tests.support.kafka_topics import open_log
from tests.support.real_servers import RealServers

WRONG = "wrong-geheim"


@pytest.mark.parametrize("part", ["MYSQL", "REDIS"])
def test_a_wrong_password(real_servers: RealServers, tmp_path: Path, part: str) -> None:
    environment = {**real_servers.environment, f"PALIO_{part}_PASSWORD": WRONG}
    line = refused(tmp_path / "data", env=environment)
    assert WRONG not in line
    assert real_servers.facts["mysql"]["password"] not in line


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PALIO_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("PALIO_MYSQL_SHARDS", "127.0.0.1:1"),
        ("PALIO_REDIS_URLS", "redis://127.0.0.1:1"),
    ],
)
def test_a_server_that_is_not_there(real_servers: RealServers, tmp_path: Path, setting: str, value: str) -> None:
    line = refused(tmp_path / "data", env={**real_servers.environment, setting: value})
    assert "127.0.0.1" in line


def test_a_topic_of_other_partitions(real_servers: RealServers, tmp_path: Path) -> None:
    config = KafkaLogConfig(
        real_servers.facts["kafka"]["bootstrap_servers"],
        topic="other-partitions",
        partitions=12,
        replication_factor=1,
        min_insync_replicas=1,
    )

    async def make() -> None:
        log = await open_log(dataclasses.replace(config))
        await log.close()

    asyncio.run(make())
    line = refused(tmp_path / "data", env={**real_servers.environment, "PALIO_KAFKA_TOPIC": "other-partitions"})
    assert "12" in line
    assert "50" in line


def test_a_topic_made_anew(real_servers: RealServers, tmp_path: Path) -> None:
    line = refused(tmp_path / "data", env={**real_servers.environment, "PALIO_KAFKA_TOPIC_ID": "another"})
    assert "expected the one with id another" in line
