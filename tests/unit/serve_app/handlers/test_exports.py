from __future__ import annotations

import asyncio
import csv
import gc
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pyarrow.parquet as pq
import pytest
from icalendar import Calendar, Event

from actors.domain.results.table import told_of
from serve_app.handlers import exports
from serve_app.handlers.exports import FORMATS, Places, _stem
from serve_app.http.problems import Problem
from tests.support.front import INSTANT, LATER, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def played(front: Front, **spec: Any) -> str:
    tournament = await front.create(**{"name": "Größe: =1 / Cup", **spec})
    for user, score in ((1, 10.5), (2, 20), (3, -0.05)):
        await front.join(tournament, user, name=f"n{user}")
        await front.submit(tournament, user, {"event_id": "a", "score": score})
    await front.join(tournament, 4)
    return tournament


async def test_csv_is_what_is_given_unless_told_otherwise(front: Front) -> None:
    tournament = await played(front)
    answer = await front.call("GET", f"/v1/tournaments/{tournament}/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == (
        f"attachment; filename=\"gr-sse-1-cup-{tournament}.csv\"; filename*=UTF-8''gr%C3%B6sse-1-cup-{tournament}.csv"
    )
    assert answer.headers["cache-control"] == "no-cache"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["rank"], row["user_id"], row["score"]) for row in rows] == [
        ("1", "2", "20.00"),
        ("2", "1", "10.50"),
        ("3", "3", "-0.05"),
    ]
    head = await front.client.head(f"/v1/tournaments/{tournament}/export")
    assert (head.status_code, head.headers["content-type"]) == (200, answer.headers["content-type"])


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("down", [False, True])
async def test_every_format_has_all_that_are_ranked(front: Front, name: str, down: bool) -> None:
    """Also while the owner is away, and once it has finished."""
    tournament = await played(front)
    for finished in (False, True):
        if finished:
            await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())
        front.palio.owners.down = front.palio.read_model.holds = down
        answer = await front.call("GET", f"/v1/tournaments/{tournament}/export?format={name}")
        front.palio.owners.down = False
        assert answer.status_code == 200, answer.text
        if name == "parquet":
            read = pq.read_table(io.BytesIO(answer.content))
            assert read.column("user_id").to_pylist() == [2, 1, 3]
            assert told_of(read)["status"] == ("finished" if finished else "running")
        else:
            assert [answer.text.index(each) for each in ("20", "10.5", "-0.05")] == sorted(
                answer.text.index(each) for each in ("20", "10.5", "-0.05")
            ) or name in ("clics", "iof")
            assert "-0.05" in answer.text


async def test_a_gradebook_is_moodles_unless_it_is_canvass(front: Front) -> None:
    path = f"/v1/tournaments/{await played(front)}/export?format=gradebook"
    moodle, same = await front.call("GET", path), await front.call("GET", path + "&system=moodle")
    assert moodle.text == same.text
    assert moodle.text.startswith("ID number,Name,")
    canvas = await front.call("GET", path + "&system=canvas")
    assert canvas.text.startswith("Student,ID,SIS User ID,")
    assert ".canvas.csv" in canvas.headers["content-disposition"]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("format=xlsx", "format"),
        ("format=", "format"),
        ("format=csv&system=moodle", "system"),
        ("format=gradebook&system=x", "system"),
    ],
)
async def test_other_formats_are_refused(front: Front, query: str, wrong: str) -> None:
    tournament = await played(front)
    assert wrong_paths(await front.call("GET", f"/v1/tournaments/{tournament}/export?{query}")) == [wrong]
    assert problem(await front.call("GET", "/v1/tournaments/5/export")) == (404, "tournament_unknown")


async def test_of_a_private_one_nobody_keeps_a_copy(front: Front) -> None:
    tournament = await front.create(visibility="private")
    await front.call("PUT", f"/v1/tournaments/{tournament}/participants/1", front.token(), json={})
    answer = await front.call("GET", f"/v1/tournaments/{tournament}/export", front.token("player", 1))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-store"


async def test_more_than_so_many_wait(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_EXPORTS", 2)
    path = f"/v1/tournaments/{await played(front)}/export"
    front.palio.owners.delay_s = 0.2
    answers = await asyncio.gather(*(front.call("GET", path) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    for _ in range(3):  # places are given back, also by what ends otherwise
        assert problem(await front.call("GET", "/v1/tournaments/5/export")) == (404, "tournament_unknown")
        assert (await front.call("GET", path)).status_code == 200


def test_a_place_is_given_back_however_the_answer_ends() -> None:
    places = Places()
    held = exports._held(places.take(), iter([b"a"]))
    assert places.taken == 1
    del held  # nobody ever read it
    gc.collect()
    assert places.taken == 0
    kept = [places.take() for _ in range(exports.MAX_EXPORTS)]
    with pytest.raises(Problem):
        places.take()
    kept.clear()
    assert places.taken == 0


@pytest.mark.parametrize(
    ("name", "stem"),
    [("Spring exam", "spring-exam"), ("../../etc/passwd", "etc-passwd"), ("=1+1", "1-1"), ("…", "tournament")],
)
def test_names_of_files_have_nothing_that_file_systems_keep_for_themselves(name: str, stem: str) -> None:
    assert _stem(name) == stem
    assert len(_stem(name * 100)) <= 60


async def test_the_calendar_has_what_is_to_come_and_what_was_cancelled(front: Front) -> None:
    later, running = await front.create(LATER, name="Later, öfter"), await front.create()
    gone, over = await front.create(LATER), await front.create()
    hidden = await front.create(LATER, visibility="private")
    await front.create(INSTANT)
    await front.call("POST", f"/v1/tournaments/{gone}/cancel", front.token())
    await front.call("POST", f"/v1/tournaments/{over}/end", front.token())
    answer = await front.call("GET", "/v1/tournaments.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"
    events = {str(event["uid"]): event for event in Calendar.from_ical(answer.content).walk("VEVENT")}
    assert set(events) == {f"tournament-{number}@palio" for number in (later, running, gone)}
    event = events[f"tournament-{later}@palio"]
    assert isinstance(event, Event)
    assert str(event["summary"]) == "Later, öfter"
    assert event.start == datetime.fromisoformat(LATER["starts_at"])
    assert str(events[f"tournament-{gone}@palio"]["status"]) == "CANCELLED"
    seen = await front.call("GET", "/v1/tournaments.ics", front.token())
    assert f"tournament-{hidden}@palio" in seen.text
    found = await front.call("GET", "/v1/tournaments.ics?q=öfter")
    assert len(Calendar.from_ical(found.content).walk("VEVENT")) == 1


async def test_the_calendar_takes_several_pages(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(103):
        await front.create(LATER, name=f"n{n}")
    answer = await front.call("GET", "/v1/tournaments.ics")
    assert len(Calendar.from_ical(answer.content).walk("VEVENT")) == 103
