from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.cli import shards
from scripts.cli.shards import MAX_PARTITION, move, options_of, partitions_of, ranges, show_shards
from storage.ports import StorageError
from storage.records.mysql.engine import MysqlOptions
from storage.records.mysql.shard import ServerHealth
from storage.records.sql.partitions import Place

CONFIG = {
    "shards": [{"primary": {"host": "127.0.0.1", "port": 1}}, {"primary": {"host": "127.0.0.1", "port": 2}}],
    "user": "palio",
    "password": "hidden",
    "database": "palio",
}


@pytest.fixture
def options() -> MysqlOptions:
    return MysqlOptions.of(CONFIG)


@pytest.mark.parametrize(
    ("text", "partitions"),
    [("3", [3]), ("0-2", [0, 1, 2]), ("5,0-1,5-6", [0, 1, 5, 6]), ("7-7", [7]), (f"{MAX_PARTITION}", [MAX_PARTITION])],
)
def test_partitions_of_a_command_line(text: str, partitions: list[int]) -> None:
    assert partitions_of(text) == partitions
    assert partitions_of(ranges(partitions)) == partitions


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "1,",
        "-",
        "-1",
        "1-",
        "a",
        "1-b",
        "1.5",
        " 1",
        "\u00b2",
        "9-3",
        f"{MAX_PARTITION + 1}",
        "0-" + "9" * 5000,
    ],
)
def test_what_names_no_partitions_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        partitions_of(text)


@pytest.mark.parametrize(
    ("partitions", "text"), [([], ""), ([4], "4"), ([0, 1, 2, 4, 6, 7], "0-2,4,6-7"), (list(range(50)), "0-49")]
)
def test_partitions_are_shown_as_ranges(partitions: list[int], text: str) -> None:
    assert ranges(partitions) == text


@pytest.mark.parametrize("content", [CONFIG, {"mysql": CONFIG, "redis": {}}])
def test_options_are_read_alone_or_from_a_larger_file(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / "servers.json").write_text(json.dumps(content), encoding="utf-8")
    assert options_of(tmp_path / "servers.json") == MysqlOptions.of(CONFIG)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"7", b'{"mysql": []}', b'{"shards": []}'])
def test_a_file_that_is_none_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "servers.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"servers\.json|expected"):
        options_of(tmp_path / "servers.json")
    with pytest.raises(ValueError, match=r"away\.json"):
        options_of(tmp_path / "away.json")


def found(monkeypatch: pytest.MonkeyPatch, places: Mapping[int, Place], *health: ServerHealth) -> None:
    async def check_servers(options: MysqlOptions) -> Any:
        return places, list(health)

    monkeypatch.setattr(shards, "check_servers", check_servers)


PRIMARY = ServerHealth(0, "primary", "127.0.0.1:1", 1.4, False)


def test_each_server_has_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: MysqlOptions
) -> None:
    places = {0: Place(0), 1: Place(0), 2: Place(1, 3, moving_to=0)}
    late = PRIMARY._replace(role="replica", address="127.0.0.1:3", behind=True, answer_ms=250.0)
    found(monkeypatch, places, PRIMARY, late, PRIMARY._replace(shard=1, address="127.0.0.1:2"))
    assert show_shards(options) == 0
    assert capsys.readouterr().out.splitlines() == [
        "shard  partitions  which  server  role  state",
        "0  2  0-1  127.0.0.1:1  primary  answers in 1 ms",
        "0  -  -  127.0.0.1:3  replica  answers in 250 ms, behind",
        "1  1  2  127.0.0.1:2  primary  answers in 1 ms",
        "partition 2 is being moved from shard 1 to 0",
    ]


def test_a_server_that_is_away_or_nobody_who_knows_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: MysqlOptions
) -> None:
    found(monkeypatch, {0: Place(0)}, PRIMARY._replace(answer_ms=None, error="refused"))
    assert show_shards(options) == 1
    assert "does not answer: refused" in capsys.readouterr().out
    found(monkeypatch, {}, PRIMARY)
    assert show_shards(options) == 1
    assert "nobody can say" in capsys.readouterr().out


def test_errors_of_the_store_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch, options: MysqlOptions) -> None:
    async def check_servers(options: MysqlOptions) -> Any:
        raise StorageError("no such database")

    monkeypatch.setattr(shards, "check_servers", check_servers)
    with pytest.raises(ValueError, match="no such database"):
        show_shards(options)


@pytest.mark.parametrize("target", [-1, 2])
def test_the_target_must_be_one_of_the_shards(options: MysqlOptions, target: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        move(options, [0], target)
