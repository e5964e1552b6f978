"""`DELETE /v1/users/{user}`: an operator's, for every tournament that the user was in, and again without harm."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from actors.domain.notices.settings import NotificationSettings
from actors.domain.values import partition_of
from tests.support.front import Front, open_front


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(notice_channels=("live", "email")) as opened:
        yield opened


async def test_names_and_settings_are_gone_everywhere_and_ranks_stay(front: Front) -> None:
    tournaments = [await front.create() for _ in range(3)]
    for tournament in tournaments:
        for user in (7, 8):
            await front.join(tournament, user, name=f"User {user}")
            await front.submit(tournament, user, {"event_id": "a", "score": user}, prefer="wait=5")
    assert (
        await front.call("DELETE", f"/v1/tournaments/{tournaments[0]}/participants/me", front.token("player", 7))
    ).status_code == 204
    assert (await front.call("POST", f"/v1/tournaments/{tournaments[1]}/end", front.token())).status_code == 200
    await front.palio.notices.put_settings(7, NotificationSettings(email="ann@example.org"), 0)
    for _ in range(2):
        answer = await front.call("DELETE", "/v1/users/7", front.token("operator", 9))
        assert (answer.status_code, answer.content) == (204, b"")
    assert await front.palio.notices.settings_of([7]) == {}
    for tournament in tournaments:
        members = front.palio.states[int(tournament)].members
        assert [members.names[members.users.slot(user)] for user in (7, 8)] == [None, "User 8"]
        assert front.palio.states[int(tournament)].partition == partition_of(int(tournament), 8)
    row = (await front.call("GET", f"/v1/tournaments/{tournaments[1]}/participants/7", front.token())).json()
    assert (row["name"], row["rank"], row["score"]) == (None, 2, 7)
    assert front.palio.states[int(tournaments[1])].status == "finished"


async def test_it_is_an_operators(front: Front) -> None:
    for role in ("player", "service"):
        answer = await front.call("DELETE", "/v1/users/7", front.token(role, 7))
        assert (answer.status_code, answer.json()["code"]) == (403, "role_forbidden")
    assert (await front.call("DELETE", "/v1/users/7")).status_code == 401
    assert (await front.call("DELETE", "/v1/users/x", front.token("operator", 9))).status_code == 404
    assert (await front.call("DELETE", "/v1/users/77", front.token("operator", 9))).status_code == 204


async def test_where_the_records_are_away_it_is_to_be_repeated(front: Front) -> None:
    tournament = await front.create()
    await front.join(tournament, 7, name="Ann")
    front.palio.records.down = True
    assert (await front.call("DELETE", "/v1/users/7", front.token("operator", 9))).status_code == 503
    front.palio.records.down = False
    assert (await front.call("DELETE", "/v1/users/7", front.token("operator", 9))).status_code == 204
    members = front.palio.states[int(tournament)].members
    assert members.names == [None]
