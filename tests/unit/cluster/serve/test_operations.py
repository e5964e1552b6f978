"""What needs neither Ray nor servers; `tests/e2e/test_console.py` asks a running Palio."""

from __future__ import annotations

from pathlib import Path

from cluster.config.settings import Settings
from cluster.serve.operations import RayOperations
from storage.ports import Shards
from tests.support.running import free_ports


async def test_an_embedded_palio_has_no_shards_and_finds_itself_well(tmp_path: Path) -> None:
    operations = RayOperations(Settings(data_dir=tmp_path))
    assert await operations.shards() is None
    found = await operations.findings()
    assert {finding.state for finding in found} == {"ok"}
    assert [finding.subject for finding in found] == [
        "time zones",
        "data directory",
        "log",
        "records",
        "redis",
        "series of metrics",
    ]


async def test_of_servers_that_are_away_nothing_is_known_and_the_findings_say_why(tmp_path: Path) -> None:
    [port] = free_ports(1)
    operations = RayOperations(Settings(data_dir=tmp_path, mysql_shards=f"127.0.0.1:{port}"))
    shards = await operations.shards()
    assert isinstance(shards, Shards)
    assert shards.places == []
    [wrong] = [finding for finding in await operations.findings() if finding.state == "wrong"]
    assert (wrong.subject, "does not answer" in wrong.found) == (f"MySQL 127.0.0.1:{port}", True)
