"""What keeps Palio from starting: one clear line each, at once, and nothing half done."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.integration.conftest import refused


@pytest.mark.parametrize("option", ["--port", "--gateway-port"])
def test_a_port_in_use(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as another Palio's gateway does
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refused(tmp_path / "data", option, port)
    assert port in line
    assert "in use" in line
    assert not (tmp_path / "data").exists()


def test_a_data_directory_in_use(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = refused(tmp_path)
    assert "in use by another Palio" in line
    assert "4711" in line


@pytest.mark.parametrize("file", ["log.db", "records.db"])
def test_data_of_a_newer_version(tmp_path: Path, file: str) -> None:
    # an empty database with a version of the future: both stores look at the version before anything else
    database = sqlite3.connect(tmp_path / file)
    database.execute("PRAGMA user_version = 999")
    database.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
    database.execute("INSERT INTO schema_version VALUES (999)")
    database.commit()
    database.close()
    before = (tmp_path / file).read_bytes()
    assert "newer" in refused(tmp_path)
    assert (tmp_path / file).read_bytes() == before


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "cannot write to the data directory" in refused(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot write to the data directory" in refused(tmp_path / "locked" / "data")


def test_an_unknown_setting(tmp_path: Path) -> None:
    line = refused(tmp_path / "data", env={"PALIO_PROT": "1"})
    assert "PALIO_PROT" in line
    assert "PALIO_PORT" in line


def test_several_nodes_without_servers_that_they_can_share(tmp_path: Path) -> None:
    line = refused(tmp_path / "data", env={"PALIO_RAY_ADDRESS": "127.0.0.1:1"})
    assert "expected Kafka, MySQL and Redis to be configured" in line
    assert not (tmp_path / "data").exists()


def test_an_ill_typed_setting(tmp_path: Path) -> None:
    assert "PALIO_SHARDS" in refused(tmp_path / "data", env={"PALIO_SHARDS": "many"})


def test_a_log_that_does_not_belong_to_the_records(tmp_path: Path) -> None:
    import asyncio

    from cluster.config.settings import Settings
    from cluster.startup.ports import open_log, open_records
    from storage.ports import Checkpoint

    async def prepare() -> None:
        settings = Settings(data_dir=tmp_path)
        log = open_log(settings)
        await log.bounds()
        await log.close()
        records = await open_records(settings)
        await records.save(Checkpoint([], [], [], [], [("partition-3", 3, 77)]))
        await records.close()

    asyncio.run(prepare())
    line = refused(tmp_path)
    assert "partition 3" in line
    assert "77" in line
