"""`scripts/palio export`: a file that is whole, or none; and what was exported can be imported."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scripts.client.palio_client import NotFoundError
from tests.support.commands import Command, commands_at
from tests.support.front import Front
from tests.support.scripted_http import Answers, Given


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def tournament(front: Front) -> str:
    made = await front.create()
    for user in (1, 2, 3):
        await front.join(made, user, name=f"U{user}")
        await front.submit(made, user, {"event_id": "e", "score": user + 0.25})
    return made


async def rows(front: Front, tournament: str) -> list[tuple[str, str, float]]:
    found = (await front.call("GET", f"/v1/tournaments/{tournament}/rankings")).json()["rows"]
    return [(row["user_id"], row["name"], row["score"]) for row in found]


async def test_what_was_exported_can_be_imported(command: Command, front: Front, tournament: str) -> None:
    said = await command("export", tournament)
    assert said.last == f"{tournament}.csv"
    with Path(said.last).open(encoding="utf-8", newline="") as file:
        assert [row["user_id"] for row in csv.DictReader(file)] == ["3", "2", "1"]
    other = await front.create()
    imported = await command("import", said.last, "--tournament", other, "--join", "--yes")
    assert (imported.status, imported.last) == (0, "3 scores in the log, 0 rows not taken")
    assert await rows(front, other) == await rows(front, tournament)


async def test_each_format_has_its_name_and_a_file_is_not_written_over(command: Command, tournament: str) -> None:
    for format_name, suffix in (("parquet", "parquet"), ("iof", "xml"), ("ctftime", "json"), ("clics", "json")):
        said = await command("export", tournament, "--format", format_name, "--out", f"x.{suffix}")
        assert said.last == f"x.{suffix}"
    assert pq.read_table("x.parquet").column("user_id").to_pylist() == [3, 2, 1]
    await command("export", tournament, "--format", "gradebook", "--system", "canvas")
    assert Path(f"{tournament}.csv").stat().st_mode & 0o777 == 0o644
    with pytest.raises(ValueError, match="is there already"):
        await command("export", tournament)


async def test_what_cannot_be_had_leaves_nothing(command: Command, tournament: str) -> None:
    with pytest.raises(NotFoundError):
        await command("export", "7")
    with pytest.raises(NotFoundError, match="not_archived"):
        await command("export", tournament, "--format", "archive")
    with pytest.raises(ValueError, match="cannot be written: No such file or directory"):
        await command("export", tournament, "--out", "no/where.csv")
    assert list(Path().iterdir()) == []


async def test_the_archive_is_another_call(capsys: pytest.CaptureFixture[str]) -> None:
    answers = Answers(Given(200, {"a": "table"}))
    assert (await commands_at(answers, capsys)("export", "7", "--format", "archive")).last == "7.parquet"
    assert answers.sent() == ["GET http://palio.example:8000/v1/tournaments/7/archive"]
