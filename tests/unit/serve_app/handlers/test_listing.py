from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.front import INSTANT, LATER, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(view_cache_ms=0) as front:
        yield front


async def test_the_list_is_newest_first_and_can_be_searched(front: Front) -> None:
    tournaments = [await front.create(LATER, name=f"Exam {n}") for n in range(3)]
    sprint = await front.create(INSTANT)
    running = await front.create()
    await front.create(visibility="private")
    everything = (await front.call("GET", "/v1/tournaments")).json()
    assert [item["id"] for item in everything["items"]] == [running, sprint, *tournaments[::-1]]
    page = (await front.call("GET", "/v1/tournaments?limit=2")).json()
    rest = (await front.call("GET", f"/v1/tournaments?limit=100&cursor={page['next_cursor']}")).json()
    assert page["items"] + rest["items"] == everything["items"]
    assert [i["id"] for i in (await front.call("GET", "/v1/tournaments?q=eXAM 1")).json()["items"]] == [tournaments[1]]
    assert [i["id"] for i in (await front.call("GET", "/v1/tournaments?type=instant")).json()["items"]] == [sprint]
    wanted = (await front.call("GET", "/v1/tournaments?status=running")).json()["items"]
    assert [(item["id"], item["status"]) for item in wanted] == [(running, "running")]
    assert len((await front.call("GET", "/v1/tournaments", front.token("operator", 9))).json()["items"]) == 6


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("ZO%C3%8B", True),
        ("zoe%CC%88%27s%20%20cup", True),
        ("%20cup%09final%20", True),
        ("zoe", False),
        ("%00", False),
        ("cup%00", False),
        ("%ED%A0%80", False),
    ],
)
async def test_names_are_found_however_they_are_written(front: Front, q: str, found: bool) -> None:
    tournament = await front.create(name="Zoe\u0308's \u00a0 Cup final")
    answer = await front.call("GET", f"/v1/tournaments?q={q}")
    assert [item["id"] for item in answer.json()["items"]] == [tournament] * found


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("status=open", "status"),
        ("type=x", "type"),
        ("q=" + "x" * 201, "q"),
        ("limit=101", "limit"),
        ("cursor=nonsense", "cursor"),
    ],
)
async def test_a_wrong_list_is_422(front: Front, query: str, path: str) -> None:
    assert wrong_paths(await front.call("GET", f"/v1/tournaments?{query}")) == [path]


async def test_a_users_tournaments_are_listed_newest_first(front: Front) -> None:
    tournaments = [await front.create(LATER, name=f"No {n}") for n in range(3)]
    for tournament in tournaments:
        await front.join(tournament, 42, name="Ada")
    path = "/v1/users/me/tournaments"
    first = (await front.call("GET", f"{path}?limit=2", front.token("player", 42))).json()
    second = (await front.call("GET", f"{path}?cursor={first['next_cursor']}", front.token("player", 42))).json()
    assert [item["id"] for item in first["items"] + second["items"]] == tournaments[::-1]
    assert second["next_cursor"] is None
    assert first["items"][0]["participation"]["name"] == "Ada"
    for role in ("service", "operator"):
        other = await front.call("GET", "/v1/users/42/tournaments", front.token(role, 9))
        assert len(other.json()["items"]) == 3
    for call in ("tournaments", "prizes"):
        refused = await front.call("GET", f"/v1/users/42/{call}", front.token("player", 43))
        assert problem(refused) == (403, "not_yours")
        assert problem(await front.call("GET", f"/v1/users/42/{call}")) == (401, "token_missing")
    wrong = await front.call("GET", f"{path}?cursor=x", front.token("player", 42))
    assert wrong_paths(wrong) == ["cursor"]


async def test_a_users_tournaments_show_the_rank_while_they_run(front: Front) -> None:
    tournaments = [await front.create(), await front.create(visibility="private"), await front.create(LATER)]
    for tournament in tournaments:
        for user in (42, 43):
            await front.call("PUT", f"/v1/tournaments/{tournament}/participants/{user}", front.token())
    for at, user, score in ((0, 42, 10), (0, 43, 20), (1, 42, 5)):
        await front.submit(tournaments[at], user, {"event_id": "a", "score": score})

    async def shown() -> list[tuple[int | None, float | None]]:
        answer = (await front.call("GET", "/v1/users/me/tournaments", front.token("player", 42))).json()
        return [(item["participation"]["rank"], item["participation"]["score"]) for item in answer["items"]]

    assert sorted(await shown(), key=str) == [(1, 5), (2, 10), (None, None)]
    front.palio.owners.down = True  # stored are ranks of what has finished alone
    assert sorted(await shown(), key=str) == [(None, 10), (None, 5), (None, None)]
