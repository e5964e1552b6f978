"""`scripts/palio import` against a Palio: what it shows, asks, sends, and tells of rows that are not taken."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.cli.importing import command as importing
from scripts.client.palio_client import NoAnswerError, ProblemError
from tests.support.commands import Command, commands_at
from tests.support.front import Front
from tests.support.scripted_http import Answers, Given

GOLDEN = Path(__file__).parents[4] / "golden" / "imports"
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
        "left_out": {},
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
    file.write_text("user,score,tournament\n1,1,7\n2,2,7\n3,3,7\n")
    command = commands_at(Answers(Given(202, {"accepted": 2, "rejected": []}), NoAnswerError("gone")), capsys)
    with pytest.raises(NoAnswerError):
        await command("import", file, "--yes")
    assert "sent are the rows up to line 3. Import the file again, or with --from-line 4" in capsys.readouterr().err


async def test_a_join_that_is_refused_keeps_its_scores_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("user,score,tournament\n1,1,7\n2,2,7\n1,3,7\n")
    answers = Answers(
        Given(202, {"accepted": 1, "rejected": [{"index": 0, "code": "invalid"}]}),
        Given(202, {"accepted": 1, "rejected": []}),
    )
    said = await commands_at(answers, capsys)("import", file, "--yes", "--join")
    assert said.out.splitlines()[1:] == [
        "2  the join: invalid",
        "4  the join: invalid",
        "1 scores in the log, 2 rows not taken",
    ]
    assert b'"user_id":"2"' in answers.requests[1].content


async def test_a_file_that_is_none_is_told(command: Command, front: Front, tmp_path: Path) -> None:
    tournament = await front.create()
    (tmp_path / "sheet.csv").write_bytes(b"PK\x03\x04...")
    (tmp_path / "empty.csv").write_text("user,score\n")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for name, told in (
        ("gone.csv", "cannot be read"),
        ("sheet.csv", "sheet.csv: expected CSV, .* got a spreadsheet"),
        ("empty.csv", "expected rows, found none"),
        ("other.csv", "no column for user_id"),
    ):
        with pytest.raises(ValueError, match=told):
            await command("import", tmp_path / name, "--tournament", tournament)
    with pytest.raises(ProblemError, match="tournament"):
        await command("import", tmp_path / "other.csv", "--tournament", "77")


async def test_nothing_of_a_file_that_breaks_off_is_sent(command: Command, front: Front, tmp_path: Path) -> None:
    tournament = await front.create()
    whole = (GOLDEN / "ooresults.xml").read_text()
    (tmp_path / "cut.xml").write_text(whole[: whole.index("Alone")])
    with pytest.raises(ValueError, match=r"cut.xml: line \d+: no XML"):
        await command("import", tmp_path / "cut.xml", "--tournament", tournament, "--join", "--yes")
    lines = b"user,score\n" + b"1,2\n" * 2000
    (tmp_path / "cut.csv").write_bytes(lines + b"2,\xff\n")
    with pytest.raises(ValueError, match="expected UTF-8"):
        await command("import", tmp_path / "cut.csv", "--tournament", tournament, "--join", "--yes")
    view = await front.call("GET", f"/v1/tournaments/{tournament}")
    assert view.json()["participants"] == 0


@pytest.mark.parametrize("export", ["csv", "parquet", "iof", "gradebook", "gradebook&system=canvas"])
@pytest.mark.parametrize("unit", ["points", "time"])
async def test_what_was_exported_is_imported_to_the_same_table(
    command: Command, front: Front, tmp_path: Path, export: str, unit: str
) -> None:
    spec: dict[str, Any] = {"display": {"unit": unit}, "order": "asc", "boards": ["club"], "ties": "shared"}
    first, second = await front.create(**spec), await front.create(**spec)
    given = (("9007199254740993", 62.5, "Zoë, =1+1", "Ö"), ("2", -5, "=1+1", None), ("3", 62.5, None, "-x"))
    for user, score, name, club in given:
        body = {"name": name} | ({} if club is None else {"attributes": {"club": club}})
        path = f"/v1/tournaments/{first}/participants/{user}"
        assert (await front.call("PUT", path, front.token(), json=body)).status_code == 201
        sent = await front.submit(first, int(user), {"event_id": "e", "score": score}, Prefer="wait=5")
        assert sent.status_code == 200
    file = tmp_path / "table"
    file.write_bytes((await front.call("GET", f"/v1/tournaments/{first}/export?format={export}")).content)
    said = await command("import", file, "--tournament", second, "--join", "--yes")
    assert (said.status, said.last) == (0, "3 scores in the log, 0 rows not taken")
    shown = ("rank", "user_id", "name", "score")
    rows = [[[row[field] for field in shown] for row in (await rankings(front, each))] for each in (first, second)]
    assert len(rows[0]) == 3
    assert rows[0] == rows[1]
    if export in ("csv", "parquet"):
        for user, _, _, club in given:
            standing = (await front.call("GET", f"/v1/tournaments/{second}/participants/{user}")).json()
            assert (standing["boards"].get("club") or {}).get("group") == club


async def rankings(front: Front, tournament: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await front.call("GET", f"/v1/tournaments/{tournament}/rankings")).json()["rows"]
    return rows


async def test_one_class_of_a_race_is_taken_and_who_did_not_finish_is_left_out(command: Command, front: Front) -> None:
    tournament = await front.create(order="asc", display={"unit": "time"})
    arguments = ("import", GOLDEN / "ooresults.xml", "--tournament", tournament, "--join")
    said = await command(*arguments, "--dry-run", "--json")
    left_out = {"MissingPunch": 1, "DidNotStart": 1, "NotCompeting": 1}
    assert json.loads(said.out) == {"accepted": 3, "left_out": left_out, "rejected_count": 0, "rejected": []}
    said = await command(*arguments, "--where", "class=H21", "--yes")
    assert said.last.startswith("2 scores in the log, 4 left out (")
    assert await table(front, tournament) == [("7501", "Zoë Lind", 2001), ("7502", "Ugo Bo & Co <1>", 2814)]
    said = await command(*arguments, "--yes")
    assert "several        class: H21 (2), D21 (1); --where class=... takes one of them" in said.err
    for line in ("user_id        is control_card: 7501", "scores         are seconds, or times such as 1:02:50"):
        assert line in said.err


async def test_users_of_another_system_are_found_by_a_file(command: Command, front: Front, tmp_path: Path) -> None:
    tournament = await front.create(name="Spring exam")
    users = tmp_path / "users.json"
    users.write_text('{"users": {"zoe@example.org": "7", "ugo@example.org": "8", "ann@example.org": "9"}}')
    arguments = ("import", GOLDEN / "moodle.csv", "--tournament", tournament, "--join", "--yes", "--users", users)
    said = await command(*arguments, "--map", "user_id=Email address", "--map", "score=Course total (Real)")
    assert (said.status, said.last) == (0, "3 scores in the log, 1 left out (no score 1), 0 rows not taken")
    assert [row[::2] for row in await table(front, tournament)] == [("7", 15.5), ("8", 10), ("9", 1.25)]
    users.write_text("{")
    with pytest.raises(ValueError, match=r"users.json: "):
        await command(*arguments)


async def test_times_need_a_tournament_of_times(command: Command, front: Front, tmp_path: Path) -> None:
    tournament = await front.create()
    file = tmp_path / "times.csv"
    file.write_text("user,time\n1,1:02:50\n2,46:54\n")
    arguments = ("import", file, "--tournament", tournament, "--dry-run")
    said = await command(*arguments)
    assert "2  score: expected points, got a time, 1:02:50" in said.out
    assert (await command(*arguments, "--unit", "time")).last == "2 scores would be sent, 0 rows not taken"
