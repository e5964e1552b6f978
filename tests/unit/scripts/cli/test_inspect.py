"""`scripts/palio inspect` over what a stopped Palio stored; tests/integration asks one that runs."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from actors.domain.messages import ScoreWire
from actors.domain.values import partition_of
from cluster.config.secrets import RECORD_SECRET
from cluster.config.settings import Settings
from scripts.cli.inspect import _print
from scripts.cli.palio import main
from storage.ports import NewRecord
from tests.support.small_palio import SALT, small_palio

PARTITIONS = 3
MINE = 7
NAME = "red\x1b[31m \u202eexam"  # one that was taken before names were judged


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a Palio left that was stopped."""
    data = tmp_path_factory.mktemp("stored")

    async def run() -> None:
        settings = Settings(data_dir=data, partitions=PARTITIONS, shards=1, ingest_actors=1)
        async with small_palio(settings) as palio:
            await palio.create(MINE, NAME, users=(42,))
            await palio.append(MINE, ScoreWire(event_id="a", user_id="42", score=9.5))
            await palio.log.append([NewRecord(partition_of(MINE, PARTITIONS), b"7", b"\x1b[2J" + b"x" * 500)])
            await palio.applied()

    asyncio.run(run())
    return data


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.upper().startswith("PALIO_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("PALIO_PARTITIONS", str(PARTITIONS))


def shown(capsys: pytest.CaptureFixture[str], data: Path, *arguments: str) -> str:
    assert main(["inspect", *arguments, "--data", str(data)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert SALT not in captured.out
    assert (data / RECORD_SECRET).read_text().strip() not in captured.out
    assert "\x1b" not in captured.out
    assert "\u202e" not in captured.out
    return captured.out


def error_line(capsys: pytest.CaptureFixture[str], data: Path, *arguments: str) -> str:
    """The one line that says why nothing is shown."""
    assert main(["inspect", *arguments, "--data", str(data)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("palio: ")
    assert captured.err.count("\n") == 1
    return captured.err


def document(capsys: pytest.CaptureFixture[str], data: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown(capsys, data, *arguments, "--json"))
    assert found["running"] is False
    assert found["troubles"] == []
    return found


def test_a_tournament_as_facts_and_tables(capsys: pytest.CaptureFixture[str], stored: Path) -> None:
    lines = shown(capsys, stored, "tournament", str(MINE)).splitlines()
    facts = dict(line.split("  ", 1) for line in lines[: lines.index("")])
    assert facts["running"] == "no"
    assert facts["name"] == "red\\x1b[31m \\u202eexam"
    assert (facts["participants"], facts["scope"]) == ("1", f"partition-{partition_of(MINE, PARTITIONS)}")
    assert facts["applied_offset"] == "-"
    letters = lines[lines.index("dead_letters") + 1 :]
    assert letters[0].split("  ") == ["partition", "offset", "time", "key", "signed", "value", "reason", "detail"]
    assert "\\x1b[2Jxxxx" in letters[1]
    assert len(letters[1]) < 500
    assert lines[lines.index("outbox") + 2].split("  ")[2] == "notice"


def test_a_table_without_rows_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    _print({"fact_one": 1, "nothing": [], "something": [{"a": 1}]})
    assert capsys.readouterr().out.split() == ["fact", "value", "fact_one", "1", "something", "a", "1"]


def test_the_same_as_json_whole(capsys: pytest.CaptureFixture[str], stored: Path) -> None:
    found = document(capsys, stored, "tournament", str(MINE))
    assert (found["tournament"], found["name"], found["as_of"]) == (str(MINE), NAME, "the records")
    assert found["dead_letters"][0]["value"] == "\x1b[2J" + "x" * 500
    assert [(effect["kind"], effect["payload"]["event"]) for effect in found["outbox"]] == [("notice", "started")]


def test_scope_log_and_dead_letters(capsys: pytest.CaptureFixture[str], stored: Path) -> None:
    partition = partition_of(MINE, PARTITIONS)
    assert document(capsys, stored, "scope", f"partition-{partition}")["tournaments"] == [{"tournament": str(MINE)}]
    rows = document(capsys, stored, "log")["partitions"]
    assert [row["partition"] for row in rows] == [0, 1, 2]
    assert all(row["stored"] == row["last"] for row in rows)
    newest = document(capsys, stored, "log", "--partition", str(partition), "--limit", "2")["records"]
    assert newest[0]["value"]["event_id"] == "a"
    after = ["--partition", str(partition), "--after", str(newest[0]["offset"])]
    assert document(capsys, stored, "log", *after)["records"] == newest[1:]
    assert [letter["key"] for letter in document(capsys, stored, "dead-letters", "--limit", "5")["dead_letters"]] == [
        "7"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tournament", "8"], "tournament 8 is unknown"),
        (["tournament", "me"], "expected a decimal id from 1 to"),
        (["scope", "partition-3"], "expected a partition from 0 to 2, got 3"),
        (["log", "--partition", "99"], "expected a partition from 0 to 2, got 99"),
        (["log", "--after", "4"], "expected --partition with --after"),
        (["owners"], "expected a running Palio on the data directory"),
    ],
)
def test_what_is_not_there(
    capsys: pytest.CaptureFixture[str], stored: Path, arguments: list[str], message: str
) -> None:
    assert message in error_line(capsys, stored, *arguments)


def test_a_directory_without_data_stays_as_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "expected Palio's data, found none" in error_line(capsys, tmp_path / "none", "log")
    assert list(tmp_path.iterdir()) == []


def test_data_of_an_earlier_version_is_not_migrated(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "log.db").touch()
    with sqlite3.connect(tmp_path / "records.db") as records:
        records.execute("CREATE TABLE schema_version (version INTEGER)")
        records.execute("INSERT INTO schema_version VALUES (1)")
    assert "records.db has schema 1, expected" in error_line(capsys, tmp_path, "tournament", "7")
    assert records.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
    records.close()


def test_another_number_of_partitions_is_told(
    capsys: pytest.CaptureFixture[str], stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_PARTITIONS", "50")
    assert "log.db has 3 partitions, expected 50" in error_line(capsys, stored, "log")


@pytest.mark.parametrize(
    "arguments",
    [[], ["tournament"], ["log", "--limit", "0"], ["dead-letters", "--limit", "10001"], ["log", "--limit", "x"]],
)
def test_misuse(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["inspect", *arguments])
    assert stopped.value.code == 2
    assert "usage: palio inspect" in capsys.readouterr().err
