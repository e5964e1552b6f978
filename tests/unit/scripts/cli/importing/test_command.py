"""`scripts/palio import` against a Palio: what it shows, asks, sends, and tells of rows that are not taken."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from scripts.cli.importing import command as importing
from scripts.client.palio_client import NoAnswerError
from tests.support.commands import Command, commands_at
from tests.support.front import Front
from tests.support.scripted_http import Answers, Given

CSV = "Bib;Name;Seconds\n101;Ugo;2814\n102;Anna;2799.5\nx;Nobody;1\n103;Lia;two\n103;Lia;2903\n"
MAP = ("--map", "user_id=Bib", "--map", "score=Seconds")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "results.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


async def table(front: Front, tournament: str) -> list[tuple[str, str, float]]:
    rows = (await front.call("GET", f"/v1/tournaments/{tournament}/rankings")).json()["rows"]
    return [(row["user_id"], row["name"], row["score"]) for row in rows]


async def test_a_file_is_imported_once_however_often(command: Command, front: Front, file: Path) -> None:
    tournament = await front.create(order="asc")
    for _ in range(2):
        said = await command("import", file, "--tournament", tournament, *MAP, "--join", "--yes")
        assert said.status == 1
        assert said.out.splitlines()[1:] == [
            "4  user_id: expected a number from 1 to 2^63-1, got x",
            "5  score: expected a number, got two",
            "3 scores in the log, 2 rows not taken",
        ]
        assert await table(front, tournament) == [("102", "Anna", 2799.5), ("101", "Ugo", 2814), ("103", "Lia", 2903)]
    standing = await front.call("GET", f"/v1/tournaments/{tournament}/participants/102")
    assert standing.json()["attempts"] == 1
    for line in (
        "user_id        is Bib: 101, 102, x",
        "name           is Name",
        "event_id       is made",
        f"is {tournament} for all",
    ):
        assert line in said.err


async def test_joins_alone_and_json_lines(command: Command, front: Front, tmp_path: Path) -> None:
    tournament = await front.create()
    joins = tmp_path / "joins.ndjson"
    joins.write_text(f'{{"tournament": {tournament}, "user": 5, "name": "Ann"}}\n{{"tournament": 9, "user": 6}}\n')
    said = await command("import", joins, "--yes", "--json")
    assert json.loads(said.out) == {
        "accepted": 1,
        "rejected_count": 1,
        "rejected": [{"line": 2, "why": "tournament_unknown"}],
    }
    assert (await front.call("GET", f"/v1/tournaments/{tournament}/participants/5")).json()["name"] == "Ann"


async def test_nothing_is_sent_before_it_is_agreed(
    command: Command, front: Front, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tournament = await front.create()
    arguments = ("import", file, "--tournament", tournament, *MAP, "--join")
    with pytest.raises(ValueError, match="expected --yes: nobody can be asked here"):
        await command(*arguments)
    for answer, status in (("n\n", 1), ("\n", 1), ("y\n", 1)):  # 1 in the end, too: of two rows
        stdin = io.StringIO(answer)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", stdin)
        said = await command(*arguments)
        assert (said.status, "Import it? [y/N]" in said.err) == (status, True)
        assert bool(await table(front, tournament)) is (answer == "y\n")
    tournament = await front.create()
    said = await command("import", file, "--tournament", tournament, *MAP, "--dry-run")
    assert said.last == "3 scores would be sent, 2 rows not taken"
    assert await table(front, tournament) == []


async def test_it_goes_on_from_a_line_with_the_same_ids(
    command: Command, front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_BATCH", 2)
    tournament = await front.create(score_policy="sum")
    file = tmp_path / "same.csv"
    file.write_text("user,score\n" + "1,5\n" * 5)
    await command("import", file, "--tournament", tournament, "--join", "--yes", "--from-line", 4)
    assert [score for _, _, score in await table(front, tournament)] == [15]
    said = await command("import", file, "--tournament", tournament, "--join", "--yes")
    assert (said.status, said.last) == (0, "5 scores in the log, 0 rows not taken")
    assert [score for _, _, score in await table(front, tournament)] == [25]


async def test_where_it_stopped_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_BATCH", 2)
    file = tmp_path / "a.csv"
    file.write_text("user,score\n1,1\n2,2\n3,3\n")
    command = commands_at(Answers(Given(202, {"accepted": 2, "rejected": []}), NoAnswerError("gone")), capsys)
    with pytest.raises(NoAnswerError):
        await command("import", file, "--tournament", "7", "--yes")
    assert "sent are the rows up to line 3. Import the file again, or with --from-line 4" in capsys.readouterr().err


async def test_a_join_that_is_refused_keeps_its_scores_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("user,score\n1,1\n2,2\n1,3\n")
    answers = Answers(
        Given(202, {"accepted": 1, "rejected": [{"index": 0, "code": "invalid"}]}),
        Given(202, {"accepted": 1, "rejected": []}),
    )
    said = await commands_at(answers, capsys)("import", file, "--tournament", "7", "--yes", "--join")
    assert said.out.splitlines()[1:] == [
        "2  the join: invalid",
        "4  the join: invalid",
        "1 scores in the log, 2 rows not taken",
    ]
    assert b'"user_id":"2"' in answers.requests[1].content


async def test_a_file_that_is_none_is_told(command: Command, tmp_path: Path) -> None:
    for name, told in (("gone.csv", "cannot be read"), ("x.xls", "or --format")):
        with pytest.raises(ValueError, match=told):
            await command("import", tmp_path / name, "--tournament", "7")
    (tmp_path / "empty.csv").write_text("user,score\n")
    with pytest.raises(ValueError, match="expected rows, found none"):
        await command("import", tmp_path / "empty.csv", "--tournament", "7")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="no column for user_id"):
        await command("import", tmp_path / "other.csv", "--tournament", "7")
