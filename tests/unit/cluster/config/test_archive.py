from __future__ import annotations

from pathlib import Path

import pytest

from cluster.config.settings import Settings, describe, load_settings
from cluster.errors import SettingsError
from cluster.startup.ports import open_archive, with_archive
from storage.archive.records import RecordsWithArchive
from tests.support.memory_records import MemoryRecords


async def test_embedded_it_is_a_folder_of_the_data(tmp_path: Path) -> None:
    files = open_archive(Settings(data_dir=tmp_path))
    assert files is not None
    await files.put("0a/10.parquet", b"x")
    assert (tmp_path / "archive/0a/10.parquet").read_bytes() == b"x"
    assert isinstance(with_archive(MemoryRecords(), files), RecordsWithArchive)
    await files.close()


async def test_elsewhere_it_is_where_it_is_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, mysql_shards="a:1")
    records = MemoryRecords()
    assert open_archive(settings) is None
    assert with_archive(records, None) is records
    files = open_archive(Settings(data_dir=tmp_path, mysql_shards="a:1", archive_url=tmp_path.joinpath("x").as_uri()))
    assert files is not None
    await files.put("0a/10", b"x")
    assert (tmp_path / "x/0a/10").read_bytes() == b"x"
    await files.close()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"archive_url": "s3:///prefix"}, "PALIO_ARCHIVE_URL: expected s3://bucket/prefix, got (hidden)"),
        ({"archive_keep_days": 1, "archive_leave_days": 2}, "PALIO_ARCHIVE_LEAVE_DAYS: expected at most"),
        ({"archive_keep_days": -1}, "PALIO_ARCHIVE_KEEP_DAYS"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(**given)
    assert told in str(raised.value)


def test_the_url_may_have_keys_and_is_not_shown() -> None:
    rows = {row.variable: row for row in describe(Settings(archive_url="s3://key:secret@bucket/x"))}
    assert rows["PALIO_ARCHIVE_URL"].value == "(set)"


def test_the_rules_are_in_days() -> None:
    rules = Settings(archive_keep_days=30, archive_leave_days=7.5).archive_rules()
    assert (rules.keep_days, rules.leave_days) == (30, 7.5)
