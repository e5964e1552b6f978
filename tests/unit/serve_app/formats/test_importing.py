"""A file into a tournament through the api: told first, brought in then, once however often."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serve_app.formats import importing
from tests.support.front import LATER, Front, open_front, problem

FILES = Path(__file__).parents[3] / "golden" / "imports"


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def bring(front: Front, tournament: str, body: bytes | str, query: str = "", **more: Any) -> Any:
    """The answer to a file."""
    content = body.encode() if isinstance(body, str) else body
    path = f"/v1/tournaments/{tournament}/import?{query}"
    return await front.call("POST", path, {**front.token("operator"), **more}, content=content)


async def table(front: Front, tournament: str) -> list[tuple[str, str | None, float]]:
    rows = (await front.call("GET", f"/v1/tournaments/{tournament}/rankings")).json()["rows"]
    return [(row["user_id"], row["name"], row["score"]) for row in rows]


async def test_a_gradebook_is_told_and_then_brought_in_once(front: Front) -> None:
    tournament = await front.create(name="Spring exam", visibility="private", score_policy="sum")
    gradebook = (FILES / "canvas.csv").read_bytes()
    told = (await bring(front, tournament, gradebook, "join=true")).json()
    assert told == {
        "sent": False,
        "format": "canvas",
        "where": "line",
        "columns": told["columns"],
        "grades": [
            *("Essay (7)", "Spring exam (123)", "Current Score", "Unposted Current Score", "Final Score"),
            "Unposted Final Score",
        ],
        "mapping": {"user_id": "SIS User ID", "score": "Spring exam (123)", "name": "Student"},
        "rows": 4,
        "accepted": 2,
        "left_out": {"no score": 2},
        "rejected_count": 0,
        "rejected": [],
        "kind": "scores",
        "unit": "points",
        "decimal": "point",
        "examples": [
            {"user_id": "42", "name": "Lind, Zoë", "score": 87.5},
            {"user_id": "43", "name": "Bo, Ugo", "score": 100},
        ],
        "groups": {},
    }
    for _ in range(2):
        answer = await bring(front, tournament, gradebook, "join=true&dry_run=false")
        assert (answer.status_code, answer.json()["sent"], answer.json()["accepted"]) == (202, True, 2)
    path = f"/v1/tournaments/{tournament}/rankings"
    rows = (await front.call("GET", path, front.token())).json()["rows"]
    assert [(row["user_id"], row["name"], row["score"]) for row in rows] == [
        ("43", "Bo, Ugo", 100),
        ("42", "Lind, Zoë", 87.5),
    ]


async def test_what_is_missing_is_told_with_what_there_is_to_choose_from(front: Front) -> None:
    tournament = await front.create(name="Another")
    gradebook = (FILES / "moodle.csv").read_bytes()
    told = (await bring(front, tournament, gradebook)).json()
    assert told["problem"].startswith("several columns of grades")
    assert told["mapping"] == {"user_id": "ID number", "name": "Name"}
    assert "Course total (Real)" in told["grades"]
    refused = await bring(front, tournament, gradebook, "dry_run=false")
    assert problem(refused) == (422, "invalid")
    chosen = "score=Course total (Real)&decimal=comma"
    told = (await bring(front, tournament, gradebook, chosen)).json()
    assert (told["accepted"], told["decimal"], told["rejected"][0]["line"]) == (2, "comma", 5)


async def test_rows_that_the_tournament_does_not_take_are_told_by_line(front: Front) -> None:
    tournament = await front.create()
    body = f"tournament,user,score,subscore\n{tournament},1,5,\n{tournament},2,x,\n77,3,5,\n"
    answer = (await bring(front, tournament, body, "dry_run=false&join=true")).json()
    assert (answer["accepted"], answer["left_out"]) == (1, {"of another tournament": 1})
    assert answer["rejected"] == [{"line": 3, "why": "score: expected a number, got x"}]
    assert await table(front, tournament) == [("1", None, 5)]
    scored = await front.create(scoring={"kind": "weighted", "fields": {"a": 1}})
    answer = (await bring(front, scored, "user,score\n1,5\n", "dry_run=false")).json()
    assert answer["accepted"] == 0
    assert answer["rejected"][0]["line"] == 2


async def test_scores_are_not_sent_where_they_would_not_count(front: Front) -> None:
    tournament = await front.create(LATER)
    told = (await bring(front, tournament, "user,score\n1,2\n")).json()
    assert told["problem"] == "scores count while a tournament runs, and this one is scheduled"
    refused = await bring(front, tournament, "user,score\n1,2\n", "dry_run=false")
    assert problem(refused) == (409, "not_running")
    joined = await bring(front, tournament, "user,name\n1,Ann\n", "dry_run=false")
    assert (joined.status_code, joined.json()["kind"]) == (202, "joins")
    await front.call("POST", f"/v1/tournaments/{tournament}/cancel", front.token("operator"))
    refused = await bring(front, tournament, "user,name\n1,Ann\n", "dry_run=false")
    assert problem(refused) == (409, "registration_closed")


async def test_a_race_of_several_classes(front: Front) -> None:
    tournament = await front.create(order="asc", display={"unit": "time"})
    race = (FILES / "ooresults.xml").read_bytes()
    told = (await bring(front, tournament, race)).json()
    assert (told["format"], told["where"], told["unit"]) == ("iof", "result", "time")
    assert told["groups"] == {"class": {"H21": 2, "D21": 1}}
    await bring(front, tournament, race, "where=class=D21&join=true&dry_run=false")
    assert await table(front, tournament) == [("7601", "Ada Alone", 2402)]


@pytest.mark.parametrize(
    ("body", "query", "told"),
    [
        ("user,score\n1,2\n", "format=xls", "format: expected one of csv"),
        ("user,score\n1,2\n", "dry_run=yes", "dry_run: expected true or false"),
        ("user,score\n1,2\n", "where=class", "where: expected COLUMN=VALUE"),
        ("user,score\n1,2\n", "unit=miles", "unit: expected one of points"),
        ("PK\x03\x04", "", "got a spreadsheet"),
        ("<ResultList>", "", "no XML|expected a ResultList"),
        ("", "", "the file is empty"),
        (b"PAR1 and no more", "", "no Parquet"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "", "expected no DOCTYPE"),
    ],
)
async def test_what_cannot_be_read_is_refused(front: Front, body: bytes | str, query: str, told: str) -> None:
    tournament = await front.create()
    appended = len(front.palio.log.calls)
    answer = await bring(front, tournament, body, query)
    assert problem(answer) == (422, "invalid")
    assert (
        any(each in answer.text.replace('"path":"', "") for each in told.split("|"))
        or told.rsplit(": ", maxsplit=1)[-1] in answer.text
    )
    assert len(front.palio.log.calls) == appended


async def test_it_has_limits(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    tournament = await front.create()
    monkeypatch.setattr(importing, "MAX_ROWS", 2)
    assert problem(await bring(front, tournament, "user,score\n" + "1,2\n" * 3)) == (422, "invalid")
    assert (await bring(front, tournament, "user,score\n" + "1,2\n" * 2)).json()["rows"] == 2
    many = await bring(front, tournament, b"user,score\n" + b"x" * (1024 * 1024))
    assert problem(many) == (413, "too_large")


async def test_parquet_and_files_at_once(front: Front) -> None:
    tournament = await front.create()
    sink = io.BytesIO()
    pq.write_table(pa.table({"user_id": [7, 8], "score": [1.5, 2.5]}), sink)
    query = "dry_run=false&join=true"
    answers = await asyncio.gather(*(bring(front, tournament, sink.getvalue(), query) for _ in range(4)))
    assert [answer.json()["accepted"] for answer in answers] == [2] * 4
    assert await table(front, tournament) == [("8", None, 2.5), ("7", None, 1.5)]
