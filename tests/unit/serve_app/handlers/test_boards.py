"""Boards and teams through the api."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.front import Front, open_front, problem, wrong_paths

# user, country, team, score
PLAYERS = [(1, "FR", "7", 5), (2, "DE", "7", 9), (3, "FR", "8", 7), (4, "FR", "8", None), (5, "PL", None, 4)]


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front() as front:
        yield front


async def played(front: Front, **spec: Any) -> str:
    tournament = await front.create(boards=["country", "team"], **spec)
    for user, country, team, score in PLAYERS:
        attributes = {"country": country, **({} if team is None else {"team": team})}
        assert (await front.join(tournament, user, attributes=attributes)).status_code == 201
        if score is not None:
            await front.submit(tournament, user, {"event_id": "a", "score": score})
    return tournament


async def get(front: Front, tournament: str, path: str, **headers: str) -> Any:
    return await front.call("GET", f"/v1/tournaments/{tournament}{path}", headers)


async def test_the_rankings_of_a_group(front: Front) -> None:
    tournament = await played(front)
    page = (await get(front, tournament, "/rankings?board=country&group=FR")).json()
    assert [(row["rank"], row["user_id"], row["score"]) for row in page["rows"]] == [(1, "3", 7), (2, "1", 5)]
    assert (page["total"], page["next_cursor"]) == (2, None)
    first = (await get(front, tournament, "/rankings?board=country&group=FR&limit=1")).json()
    assert (len(first["rows"]), first["next_cursor"]) == (1, "1")
    around = (await get(front, tournament, "/rankings?board=country&group=FR&limit=1&around=1")).json()
    assert [(row["rank"], row["user_id"]) for row in around["rows"]] == [(2, "1")]
    assert problem(await get(front, tournament, "/rankings?board=country&group=FR&around=2")) == (404, "not_ranked")
    assert problem(await get(front, tournament, "/rankings?board=country&group=IT")) == (404, "board_unknown")
    assert problem(await get(front, tournament, "/rankings?board=city&group=FR")) == (404, "board_unknown")
    assert wrong_paths(await get(front, tournament, "/rankings?board=country")) == ["group"]
    assert wrong_paths(await get(front, tournament, "/rankings?group=FR")) == ["board"]
    assert wrong_paths(await get(front, tournament, "/rankings?board=country&group=FR&users=1")) == ["users"]
    whole = (await get(front, tournament, "/rankings")).json()
    assert [row["user_id"] for row in whole["rows"]] == ["2", "3", "1", "5"]


async def test_the_groups_of_a_board(front: Front) -> None:
    tournament = await played(front)
    page = (await get(front, tournament, "/boards/country")).json()
    told = [(g["group"], g["participants"], g["ranked"], g["best"] and g["best"]["user_id"]) for g in page["groups"]]
    assert told == [("FR", 3, 2, "3"), ("DE", 1, 1, "2"), ("PL", 1, 1, "5")]
    assert page["groups"][0]["best"]["rank"] == 2  # in the whole table
    second = (await get(front, tournament, "/boards/country?limit=1&cursor=1")).json()
    assert ([g["group"] for g in second["groups"]], second["next_cursor"], second["total"]) == (["DE"], "2", 3)
    assert problem(await get(front, tournament, "/boards/city")) == (404, "board_unknown")
    assert wrong_paths(await get(front, tournament, "/boards/country?limit=0")) == ["limit"]


@pytest.mark.parametrize(
    ("teams", "wanted"),
    [
        ({"score": "sum"}, [(1, "7", 14, 2, 2), (2, "8", 7, 2, 1)]),
        ({"score": "best_mean", "best": 1}, [(1, "7", 9, 2, 1), (2, "8", 7, 2, 1)]),
        ({"score": "best_mean", "best": 2}, [(1, "7", 7, 2, 2), (1, "8", 7, 2, 1)]),
    ],
)
async def test_teams(front: Front, teams: dict[str, Any], wanted: list[tuple[Any, ...]]) -> None:
    tournament = await played(front, teams=teams)
    page = (await get(front, tournament, "/teams")).json()
    assert [tuple(row.values()) for row in page["rows"]] == wanted
    assert page["total"] == 2
    assert (await front.call("GET", f"/v1/tournaments/{tournament}")).json()["teams"] == teams


async def test_a_tournament_without_has_none(front: Front) -> None:
    tournament = await front.create()
    for path in ("/teams", "/boards/country", "/rankings?board=country&group=FR"):
        assert problem(await get(front, tournament, path)) == (404, "board_unknown")


async def test_while_the_owner_is_away_the_read_model_answers(front: Front) -> None:
    tournament = await played(front, teams={"score": "sum"})
    front.palio.owners.down = True
    assert problem(await get(front, tournament, "/teams")) == (503, "unavailable")
    front.palio.read_model.holds = True
    assert (await get(front, tournament, "/teams")).json()["total"] == 2
