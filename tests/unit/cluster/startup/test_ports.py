from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from actors.domain.errors import InvalidRecordError
from cluster.config.settings import Settings
from cluster.startup.ports import (
    jwt_secret,
    metrics_dir,
    open_log,
    open_read_model,
    open_records,
    open_redis_read_model,
    open_series,
    plan_of,
    record_secret,
    set_up_logging,
    signer_of,
)
from storage.metrics.influx import InfluxMetrics
from storage.metrics.parquet import ParquetMetrics
from storage.ports import NewRecord
from storage.read_model.fallback import FallbackReadModel
from storage.read_model.redis import RedisReadModel
from storage.read_model.snapshots import SnapshotReadModel
from storage.records.sql.database import SqlRecords
from storage.score_log.kafka.log import KafkaScoreLog
from storage.score_log.sqlite.log import SqliteScoreLog


@pytest.mark.parametrize(
    ("given", "shards", "ingests"),
    [
        ({"partitions": 50, "shards": 4, "ingest_actors": 2}, 4, 2),
        ({"partitions": 3, "shards": 4, "ingest_actors": 5}, 3, 3),
    ],
)
def test_no_more_actors_than_partitions(given: dict[str, int], shards: int, ingests: int) -> None:
    plan = plan_of(Settings(**given, max_dedicated=7, dedicated_capacity=500))  # type: ignore[arg-type]
    assert (plan.partitions, plan.shards, plan.ingests) == (given["partitions"], shards, ingests)
    assert (plan.max_dedicated, plan.dedicated_capacity) == (7, 500)


def test_metrics_are_shared_apart_from_the_data_and_from_other_palios(tmp_path: Path) -> None:
    here = metrics_dir(Settings(data_dir=tmp_path / "a"))
    assert here == metrics_dir(Settings(data_dir=tmp_path / "a"))
    assert here != metrics_dir(Settings(data_dir=tmp_path / "b"))
    assert tmp_path not in here.parents
    assert str(os.getuid()) in here.name


async def test_without_servers_all_is_embedded_below_the_data(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, partitions=3)
    log, records, series = open_log(settings), await open_records(settings), open_series(settings)
    assert (type(log), type(records), type(series)) == (SqliteScoreLog, SqlRecords, ParquetMetrics)
    assert type(open_read_model(settings, records)) is SnapshotReadModel
    assert open_redis_read_model(settings) is None
    assert log.partitions == 3
    assert await log.append([NewRecord(2, b"7", b"{}")]) == [0]
    await log.close()
    await records.close()
    await series.close()
    assert {"log.db", "records.db"} <= {path.name for path in tmp_path.iterdir()}


async def test_a_server_that_is_named_takes_its_parts_place(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        kafka_bootstrap_servers="127.0.0.1:1",
        redis_urls="redis://127.0.0.1:1",
        influx_url="http://127.0.0.1:1",
    )
    log, series, copy = open_log(settings), open_series(settings), open_redis_read_model(settings)
    assert (type(log), type(series), type(copy)) == (KafkaScoreLog, InfluxMetrics, RedisReadModel)
    records = await SqlRecords.open(tmp_path / "records.db")
    read_model = open_read_model(settings, records)
    assert type(read_model) is FallbackReadModel
    for opened in (log, series, read_model, records):
        await opened.close()
    assert copy is not None
    await copy.close()


def test_secrets_are_the_settings_or_the_data_directory_s(tmp_path: Path) -> None:
    given = Settings(data_dir=tmp_path / "given", record_secret="r" * 32, jwt_secret="j" * 32)
    assert (record_secret(given), jwt_secret(given)) == (b"r" * 32, b"j" * 32)
    assert not (tmp_path / "given").exists()
    made = Settings(data_dir=tmp_path / "made")
    assert record_secret(made) != jwt_secret(made)
    assert (record_secret(made), jwt_secret(made)) == (record_secret(made), jwt_secret(made))


def test_bytes_of_a_secret_that_are_no_text_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = b"\xff\xfe" * 20
    monkeypatch.setenv("PALIO_RECORD_SECRET", os.fsdecode(secret))
    assert record_secret(Settings(data_dir=tmp_path)) == secret


def test_processes_of_one_palio_verify_each_others_records(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    signature = signer_of(settings).sign(b"7", b"{}")
    signer_of(settings).verify(b"7", b"{}", signature)
    with pytest.raises(InvalidRecordError):
        signer_of(Settings(data_dir=tmp_path / "other")).verify(b"7", b"{}", signature)


def test_log_lines_have_the_level_that_is_set() -> None:
    root, client = logging.getLogger(), logging.getLogger("httpx2")
    before, handlers, level = root.level, list(root.handlers), client.level
    try:
        set_up_logging(Settings(log_level="ERROR"))
        assert root.level == logging.ERROR
        assert not client.isEnabledFor(logging.INFO)
    finally:
        root.setLevel(before)
        client.setLevel(level)
        for handler in list(root.handlers):
            root.removeHandler(handler)
        for handler in handlers:
            root.addHandler(handler)
