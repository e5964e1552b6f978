from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pyarrow.parquet as pq
import pytest

from actors.archiver.archiver import Archiver, ArchiveRules
from actors.domain.results.table import told_of
from serve_app.handlers import archive as archive_module
from storage.ports import table_name
from tests.support.front import SCHEDULED, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def finished(front: Front, **spec: object) -> str:
    tournament = await front.create(SCHEDULED, **spec)
    for user, score in ((1, 10.5), (2, 20)):
        await front.join(tournament, user, name=f"n{user}")
        await front.submit(tournament, user, {"event_id": "a", "score": score})
    await front.call("POST", f"/v1/tournaments/{tournament}/end", front.token())
    return tournament


async def archived(front: Front) -> None:
    palio = front.palio
    archiver = Archiver(palio.records, palio.archives, palio.archive, palio.clock_ms, ArchiveRules())
    await archiver.round()


@pytest.mark.parametrize("role", ["service", "operator"])
async def test_the_file_is_given_to_services_and_operators(front: Front, role: str) -> None:
    tournament = await finished(front)
    path, token = f"/v1/tournaments/{tournament}/archive", front.token(role)
    assert problem(await front.call("GET", path, token)) == (404, "not_archived")
    await archived(front)
    answer = await front.call("GET", path, token)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-disposition"] == f'attachment; filename="tournament-{tournament}-r0.parquet"'
    assert answer.headers["cache-control"] == "private, no-store"
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.column("user_id").to_pylist() == [2, 1]
    assert told_of(table)["id"] == tournament
    same = await front.call("GET", path, {**token, "if-none-match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


async def test_players_and_strangers_get_none(front: Front) -> None:
    path = f"/v1/tournaments/{await finished(front)}/archive"
    await archived(front)
    assert problem(await front.call("GET", path)) == (401, "token_missing")
    assert problem(await front.call("GET", path, front.token("player", 1))) == (403, "role_forbidden")
    assert problem(await front.call("GET", "/v1/tournaments/5/archive", front.token())) == (404, "tournament_unknown")


async def test_a_file_that_is_not_what_the_index_says_is_not_given(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "AGAIN_S", 0)
    tournament = await finished(front)
    await archived(front)
    path, name = f"/v1/tournaments/{tournament}/archive", table_name(int(tournament))
    front.palio.archive.files[name] += b"x"
    assert problem(await front.call("GET", path, front.token())) == (503, "unavailable")
    front.palio.archive.down = True
    answer = await front.call("GET", path, front.token())
    assert problem(answer) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 5


async def test_files_are_listed_to_operators_the_last_first(front: Front) -> None:
    tournaments = []
    for n in range(3):
        tournaments.append(await finished(front, name=f"Exam {n}"))
        front.palio.now_ms += 1000
    await archived(front)
    operator = front.token("operator")
    first = (await front.call("GET", "/v1/archives?limit=2", operator)).json()
    rest = (await front.call("GET", f"/v1/archives?cursor={first['next_cursor']}", operator)).json()
    items = first["items"] + rest["items"]
    assert [(item["tournament_id"], item["name"]) for item in items] == [
        (tournaments[n], f"Exam {n}") for n in (2, 1, 0)
    ]
    assert rest["next_cursor"] is None
    assert items[0]["participants"] == 2
    assert items[0]["size_bytes"] == len(front.palio.archive.files[table_name(int(tournaments[2]))])
    assert items[0]["in_records"] is True
    for token, expected in ((None, 401), (front.token("player", 1), 403), (front.token("service"), 403)):
        assert (await front.call("GET", "/v1/archives", token)).status_code == expected
    assert wrong_paths(await front.call("GET", "/v1/archives?cursor=x", operator)) == ["cursor"]
    assert wrong_paths(await front.call("GET", "/v1/archives?limit=101", operator)) == ["limit"]


async def test_an_empty_archive_is_an_empty_list(front: Front) -> None:
    assert (await front.call("GET", "/v1/archives", front.token("operator"))).json() == {
        "items": [],
        "next_cursor": None,
    }
